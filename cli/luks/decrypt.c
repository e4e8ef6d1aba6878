/* SPDX-License-Identifier: MIT */
/* reencrypt --decrypt --header FILE: the header moves to the file, the data to the start. */
#include <stdio.h>
#include <string.h>

#include "cli/luks/reencrypt.h"
#include "cli/print.h"
#include "cli/terminal.h"

enum status decrypt_resilience(const struct command *c, const char **name)
{
	const char *given = option_text(&c->options, OPTION_RESILIENCE);

	*name = given;
	if (!given)
		return STATUS_OK;
	if (strcmp(given, "datashift") == 0 || strcmp(given, "none") == 0)
		return fail_with(STATUS_USAGE,
				 "Requested --resilience option cannot be applied to current "
				 "reencryption operation.");
	if (strcmp(given, "journal") == 0)
		*name = "datashift-journal";
	else if (strcmp(given, "checksum") == 0)
		*name = "datashift-checksum";
	return STATUS_OK;
}

static bool confirm(const struct command *c, const struct paths *paths)
{
	char question[3 * PATH_MAX + 200];

	if (option_set(&c->options, OPTION_BATCH_MODE))
		return true;
	snprintf(question, sizeof(question),
		 "Header file %s does not exist. Do you want to initialize LUKS2 decryption of "
		 "device %s and export LUKS2 header to file %s?",
		 paths->header, paths->device, paths->header);
	return terminal_confirm(question, "Operation aborted.\n");
}

static enum status begin(const struct command *c, const struct paths *paths, const char *resilience,
			 struct reencrypt_start *start)
{
	const struct options *options = &c->options;
	struct mortise_reencrypt_keyslot keyslot = { option_slot(options, OPTION_KEY_SLOT), NULL };
	struct mortise_reencrypt_new what = {
		.struct_size = sizeof(what),
		.mode = MORTISE_DECRYPT,
		.resilience = resilience,
		.resilience_hash = option_text(options, OPTION_RESILIENCE_HASH),
		.device_size = option_number(options, OPTION_DEVICE_SIZE),
		.keyslots = &keyslot,
		.keyslot_count = 1,
		.moved_size = option_number(options, OPTION_HOTZONE_SIZE),
	};
	struct mortise_luks2 *header = NULL;
	struct paths source = { .detached = false };
	struct mortise_error err = { 0 };
	enum status status;

	memcpy(source.device, paths->device, sizeof(source.device));
	memcpy(source.header, paths->device, sizeof(source.header));
	status = header_load_with_device(c, &source, &header);
	if (status == STATUS_OK)
		status = reencrypt_find_active(c, paths, header, start);
	what.active_name = start->active;
	if (status == STATUS_OK)
		status = reencrypt_read_passphrase(c, paths, header, keyslot.keyslot, NULL,
						   &start->passphrase);
	keyslot.passphrase = start->passphrase;
	if (status == STATUS_OK &&
	    mortise_decrypt_begin(header, paths->header, &what, &start->header, &err))
		status = fail(c, &err);
	mortise_luks2_free(&header);
	return status;
}

enum status decrypt_start(const struct command *c, const struct paths *paths,
			  struct reencrypt_start *start)
{
	const char *resilience;
	enum status status = decrypt_resilience(c, &resilience);

	if (status != STATUS_OK)
		return status;
	if (!confirm(c, paths))
		return STATUS_USAGE;
	return begin(c, paths, resilience, start);
}
