/* SPDX-License-Identifier: MIT */
/* seal: check the seal of a header, or seal the header as it is now. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

const char *check_seal(const struct command *c)
{
	if (option_set(&c->options, OPTION_CHECK) && option_set(&c->options, OPTION_VOLUME))
		return "Options --check and --volume cannot be combined.";
	return NULL;
}

/* "the seal of /dev/sda5 does not match its header (tokens changed)" */
static void describe_break(const struct mortise_luks2 *header, const struct mortise_seal_info *seal,
			   char *text, size_t room)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };

	(void)mortise_header_info(header, &info, NULL);
	snprintf(text, room, "the seal of %s does not match its header (%s changed)", info.header,
		 seal->changed[0] != '\0' ? seal->changed : "something else");
}

enum status seal_demand(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	bool required = option_set(&c->options, OPTION_SEALED);
	struct mortise_error err = { 0 };
	char text[PATH_MAX + 200];

	if (mortise_seal_check(header, &seal, &err))
		return fail(c, &err);
	(void)mortise_header_info(header, &info, NULL);
	if (seal.state == MORTISE_SEAL_NONE && required)
		return fail_with(STATUS_USAGE,
				 "mortise: the header of %s has no seal; to seal it, run `mortise "
				 "seal %s`",
				 info.header, info.header);
	if (seal.state != MORTISE_SEAL_BROKEN || c->as_cryptsetup)
		return STATUS_OK;
	describe_break(header, &seal, text, sizeof(text));
	print_to(stderr, "mortise: %s%s; to accept the change, run `mortise seal %s`\n",
		 required ? "" : "warning: ", text, info.header);
	return required ? STATUS_USAGE : STATUS_OK;
}

void seal_warn_after_change(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };

	if (c->as_cryptsetup || mortise_seal_check(header, &seal, NULL) ||
	    (seal.state != MORTISE_SEAL_UNVERIFIED && seal.state != MORTISE_SEAL_BROKEN))
		return;
	(void)mortise_header_info(header, &info, NULL);
	print_to(stderr,
		 "mortise: warning: the seal of %s does not cover this change; to seal the header, "
		 "run `mortise seal %s`\n",
		 info.header, info.header);
}

static enum status report(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	struct mortise_error err = { 0 };
	char text[PATH_MAX + 200];

	if (mortise_seal_check(header, &seal, &err))
		return fail(c, &err);
	(void)mortise_header_info(header, &info, NULL);
	switch (seal.state) {
	case MORTISE_SEAL_NONE:
		return fail_with(STATUS_USAGE, "mortise: the header of %s has no seal",
				 info.header);
	case MORTISE_SEAL_VALID:
		break;
	case MORTISE_SEAL_BROKEN:
	case MORTISE_SEAL_UNVERIFIED:
		describe_break(header, &seal, text, sizeof(text));
		return fail_with(STATUS_USAGE, "mortise: %s", text);
	}
	print("The seal is valid: epoch %" PRIu64 ", %s%s\n", seal.epoch,
	      seal.volume[0] != '\0' ? "volume " : "no declared volume", seal.volume);
	return STATUS_OK;
}

/* Shows what the new seal would accept. False: the user declines. */
static bool confirm(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	char text[PATH_MAX + 200];

	if (option_set(&c->options, OPTION_BATCH_MODE) || mortise_seal_check(header, &seal, NULL) ||
	    seal.state != MORTISE_SEAL_BROKEN)
		return true;
	describe_break(header, &seal, text, sizeof(text));
	print_to(stderr, "mortise: %s.\n", text);
	if (!isatty(STDIN_FILENO)) {
		print_to(stderr, "mortise: not a terminal; use --batch-mode to confirm\n");
		return false;
	}
	return terminal_confirm("This accepts the header as it is now.", "Not sealed.\n");
}

static enum status seal(const struct command *c, struct mortise_luks2 *header)
{
	struct mortise_error err = { 0 };

	if (!confirm(c, header))
		return STATUS_USAGE;
	if (mortise_seal(header, option_text(&c->options, OPTION_VOLUME), &err))
		return fail(c, &err);
	return report(c, header);
}

enum status run_seal(const struct command *c)
{
	struct mortise_secret *volume_key = NULL;
	struct mortise_luks2 *header = NULL;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS2", &header);
	if (status != STATUS_OK)
		return status;
	status = unlock_header(c, &paths, header, &volume_key);
	if (status == STATUS_OK)
		status =
			option_set(&c->options, OPTION_CHECK) ? report(c, header) : seal(c, header);
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
