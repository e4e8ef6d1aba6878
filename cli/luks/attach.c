/* SPDX-License-Identifier: MIT */
/*
 * attach, detach: a line of crypttab(5). attach runs the command line of open that the line stands
 * for, and makes the swap area or file system of a mapping with a random key.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/luks/attach.h"
#include "cli/luks/signatures.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"

const char *check_attach(const struct command *c)
{
	static const enum option_id taken[] = { OPTION_BATCH_MODE, OPTION_DEBUG, OPTION_TEST_ARGS,
						OPTION_VERBOSE };

	for (int id = 0; id < OPTION_COUNT; id++) {
		bool found = !option_set(&c->options, (enum option_id)id);

		for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
			found |= id == (int)taken[i];
		if (!found)
			return "attach and detach take their options from the last argument, as in "
			       "crypttab(5).";
	}
	return c->word_count > 4 ? "attach takes at most four arguments." : NULL;
}

static enum status refuse(const struct attach *attach, const char *why)
{
	return fail_with(STATUS_USAGE, "mortise: cannot attach %s: %s", attach->name, why);
}

/* "none", "-" or nothing: a file with the name of the mapping, as for systemd, or a passphrase. */
static enum status find_key(struct attach *attach, const char *given, char path[static PATH_MAX])
{
	static const char *const places[] = { "/etc", "/run" };
	const char *tag = given ? strchr(given, ':') : NULL;
	struct stat st;

	if (given && *given && strcmp(given, "none") != 0 && strcmp(given, "-") != 0) {
		if (tag && strchr(tag, '=') && access(given, F_OK) != 0)
			return refuse(attach, "a key file on another device is not supported; "
					      "mount the device first");
		attach->key_file = given;
		attach->random_key = !strcmp(given, "/dev/urandom") ||
				     !strcmp(given, "/dev/random") || !strcmp(given, "/dev/hwrng");
		return STATUS_OK;
	}
	for (size_t i = 0; i < 2 && !attach->key_file && !strchr(attach->name, '/'); i++) {
		snprintf(path, PATH_MAX, "%s/cryptsetup-keys.d/%s.key", places[i], attach->name);
		if (stat(path, &st) == 0)
			attach->key_file = path;
	}
	/* A loop over crypttab whose input is that file would lose its other lines. */
	if (!attach->key_file && fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		return refuse(attach, "standard input is a file, such as crypttab itself; use "
				      "</dev/console to ask for a passphrase, or name a KEYFILE");
	return STATUS_OK;
}

/* Is there a LUKS header, even a damaged one? */
static bool is_luks(const char *path)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &signals_events,
		.device = path,
	};
	enum mortise_code code = mortise_luks2_probe(&location, NULL);

	return code == MORTISE_OK || code == MORTISE_E_CORRUPT || header_is_luks1(path);
}

static enum status find_type(struct attach *attach, const char *device)
{
	const bool made = attach->swap || attach->tmp;

	if (made && attach->type && strcmp(attach->type, "plain") != 0)
		return refuse(attach, "swap and tmp are for plain mappings only");
	if (made && !attach->random_key)
		return refuse(attach, "swap and tmp erase the mapping at each boot, and need a "
				      "random key; use /dev/urandom as KEYFILE");
	if (made)
		attach->type = "plain";
	else if (!attach->type && is_luks(device))
		attach->type = "luks";
	else if (!attach->type && attach->plain_only)
		attach->type = "plain";
	if (!attach->type)
		return refuse(attach, "there is no LUKS header; for a plain mapping, add plain to "
				      "the options, with cipher=, size= and hash=");
	if (attach->random_key && strcmp(attach->type, "plain") != 0)
		return refuse(attach, "a random key opens only a plain mapping");
	if (attach->headless && !attach->key_file && strcmp(attach->type, "plain") == 0)
		return refuse(attach, "it needs a passphrase, which headless forbids");
	return STATUS_OK;
}

/*
 * A plain mapping has no header to protect other data from it. What a random key leaves behind looks
 * like noise, and an unencrypted swap area may become an encrypted one.
 */
static enum status check_contents(const struct attach *attach, const char *device)
{
	struct signatures found;
	enum status status;

	if (strcmp(attach->type, "plain") != 0)
		return STATUS_OK;
	/* libblkid does not know a LUKS header whose first sector is damaged. */
	if (is_luks(device))
		return refuse(attach, "the device has a LUKS header; if its data is not needed, "
				      "remove it with wipefs(8)");
	status = signatures_find(device, attach->offset, SIGNATURES_NONE, &found);
	if (status != STATUS_OK || found.count == 0 ||
	    (attach->swap && found.count == 1 && strcmp(found.type, "swap") == 0))
		return status;
	return fail_with(STATUS_USAGE,
			 "mortise: cannot attach %s: %s contains other data (%s); if it is not "
			 "needed, remove it with wipefs(8)",
			 attach->name, device, found.type);
}

/* The words of open, and the options that this command was given. */
static enum status build(const struct command *c, struct attach *attach, char *options)
{
	enum status status = STATUS_USAGE;

	if (attach_word(attach, c->program, "") && attach_word(attach, "open", "") &&
	    attach_word(attach, "--batch-mode", "") && attach_word(attach, "--type=", attach->type))
		status = attach_add_options(attach, options);
	if (status != STATUS_OK)
		return status;
	if ((attach->key_file && !attach_word(attach, "--key-file=", attach->key_file)) ||
	    (attach->headless && !attach->key_file && !attach_word(attach, "--token-only", "")) ||
	    (option_set(&c->options, OPTION_VERBOSE) && !attach_word(attach, "--verbose", "")) ||
	    (option_set(&c->options, OPTION_DEBUG) && !attach_word(attach, "--debug", "")) ||
	    !attach_word(attach, "--", "") || !attach_word(attach, attach->device, "") ||
	    !attach_word(attach, attach->name, ""))
		return STATUS_USAGE;
	for (int i = 1; i < attach->word_count; i++)
		verbose(c, "%s", attach->words[i]);
	return STATUS_OK;
}

static enum status close_again(const struct attach *attach, enum status status)
{
	struct mortise_error err = { 0 };

	if (mortise_deactivate(attach->name, MORTISE_CLOSE_NOW, &err))
		print_to(stderr, "%s\n", err.text);
	return status;
}

/* What belongs to the mapping once it is open. A mapping without it is closed again. */
static enum status finish(const struct command *c, const struct attach *attach)
{
	const char *filesystem = attach->swap ? "swap" : attach->tmp;
	char node[PATH_MAX];
	struct mortise_error err = { 0 };
	struct signatures found;

	snprintf(node, sizeof(node), "/dev/mapper/%s", attach->name);
	if (filesystem && mortise_plain_format(attach->name, filesystem, &signals_events, &err))
		return close_again(attach, fail(c, &err));
	if (!attach->check)
		return STATUS_OK;
	if (signatures_find(node, 0, SIGNATURES_NONE, &found) != STATUS_OK || found.count == 0 ||
	    (attach->check_type && strcmp(found.type, attach->check_type) != 0))
		return close_again(attach, refuse(attach, "the mapping shows no file system: wrong "
							  "passphrase or options"));
	return STATUS_OK;
}

/* A key that other links lead to is not overwritten. */
static void erase_key(const struct attach *attach)
{
	static const char zeros[512];
	size_t left, more;
	struct stat st;
	int fd = open(attach->key_file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		print_to(stderr, "mortise: cannot erase key file %s\n", attach->key_file);
		goto out;
	}
	left = st.st_nlink == 1 ? (size_t)st.st_size : 0;
	for (; left > 0; left -= more) {
		more = left < sizeof(zeros) ? left : sizeof(zeros);
		if (write(fd, zeros, more) != (ssize_t)more)
			break;
	}
	if (fsync(fd) != 0 || unlink(attach->key_file) != 0)
		print_to(stderr, "mortise: cannot erase key file %s\n", attach->key_file);
out:
	if (fd >= 0)
		close(fd);
}

static enum status attach_line(const struct command *c, struct attach *attach, char *fields[4],
			       char *again)
{
	char key_path[PATH_MAX];
	struct paths paths;
	enum status status;

	attach->name = fields[0];
	attach->device = fields[1];
	if (mortise_is_active(attach->name, NULL) == MORTISE_OK) {
		print("%s is already active.\n", attach->name);
		return STATUS_OK;
	}
	paths_find(c, attach->device, &paths);
	if (access(paths.device, F_OK) != 0)
		return fail_with(STATUS_DEVICE,
				 "mortise: cannot attach %s: device %s does not exist",
				 attach->name, paths.device);
	status = find_key(attach, fields[2], key_path);
	if (status == STATUS_OK)
		status = attach_read_options(attach, fields[3]);
	if (status == STATUS_OK)
		status = find_type(attach, paths.device);
	if (status == STATUS_OK)
		status = build(c, attach, again);
	if (status == STATUS_OK)
		status = check_contents(attach, paths.device);
	if (status == STATUS_OK)
		status = command_run(c, attach->word_count, attach->words);
	if (status != STATUS_OK || option_set(&c->options, OPTION_TEST_ARGS))
		return status;
	status = finish(c, attach);
	if (status == STATUS_OK && attach->erase_key && attach->key_file && !attach->random_key)
		erase_key(attach);
	return status;
}

enum status run_attach(const struct command *c)
{
	struct attach *attach = calloc(1, sizeof(*attach));
	char *fields[5] = { NULL };
	enum status status = STATUS_OK;

	/* The options are read twice. */
	for (size_t i = 0; i < 5 && attach; i++) {
		const char *word = command_word(c, i < 4 ? i : 3);

		fields[i] = strdup(word ? word : "");
		if (!fields[i])
			status = STATUS_MEMORY;
		else if (i < 3)
			attach_unescape(fields[i]);
	}
	if (!attach || status != STATUS_OK)
		status = fail_with(STATUS_MEMORY, "mortise: out of memory");
	else
		status = attach_line(c, attach, fields, fields[4]);
	for (size_t i = 0; i < 5; i++)
		free(fields[i]);
	free(attach);
	return status;
}

enum status run_detach(const struct command *c)
{
	/* A field of crypttab, as for attach. */
	attach_unescape(c->words[0]);
	if (mortise_is_active(command_mapping(c, 0), NULL) == MORTISE_E_INACTIVE) {
		print("%s is not active.\n", c->words[0]);
		return STATUS_OK;
	}
	return run_close(c);
}
