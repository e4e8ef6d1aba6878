/* SPDX-License-Identifier: MIT */
/* luksKillSlot: remove a keyslot by number, after checking that another key remains. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/luks/seal.h"
#include "cli/verbs.h"

/* Tries the passphrase on every keyslot except the one to remove. */
static enum mortise_code open_other(struct mortise_luks2 *header, int gone,
				    const struct mortise_secret *passphrase, int *opened,
				    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_E_KEY;
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	err->code = code;
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		const struct mortise_key_search search = { .struct_size = sizeof(search),
							   .keyslot = id };

		if (id == gone || mortise_keyslot_info(header, id, &info, NULL) || info.unbound)
			continue;
		code = mortise_keyslot_open(header, &search, passphrase, NULL, opened, err);
		if (code == MORTISE_OK)
			break;
	}
	return code;
}

static enum status verify(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, int keyslot, bool last)
{
	const struct mortise_key_search own = { .struct_size = sizeof(own), .keyslot = keyslot };
	struct mortise_secret *passphrase = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum mortise_code code;
	enum status status;
	int opened;

	passphrase_source(c, paths->header, &source);
	source.prompt = "Enter any remaining passphrase: ";
	if (last && !source.file && !option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm(
		    "This is the last keyslot. Device will become unusable after purging this key.",
		    "Operation aborted, the keyslot was NOT wiped.\n"))
		return STATUS_KEY;
	status = passphrase_read(c, &source, &passphrase);
	/* With empty input, cryptsetup removes the keyslot without a passphrase; callers rely on it. */
	if (source.nothing && passphrase_is_stdin(source.file))
		return STATUS_OK;
	if (status != STATUS_OK)
		return status;
	code = last ? mortise_keyslot_open(header, &own, passphrase, NULL, &opened, &err)
		    : open_other(header, keyslot, passphrase, &opened, &err);
	mortise_secret_free(&passphrase);
	if (code == MORTISE_E_NO_KEYSLOT)
		err.code = MORTISE_E_KEY;
	if (code != MORTISE_OK)
		return fail_passphrase(c, &err);
	say_slot(c, opened, SLOT_UNLOCKED);
	return STATUS_OK;
}

/* cryptsetup parses an invalid number as 0 and removes keyslot 0; mortise refuses it. */
static bool parse_keyslot(const char *word, int *keyslot)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(word, &end, 10);
	if (end == word || *end != '\0' || errno != 0 || number < 0 || number > INT_MAX)
		return false;
	*keyslot = (int)number;
	return true;
}

const char *check_kill_slot(const struct command *c)
{
	int keyslot;

	return parse_keyslot(command_word(c, 1), &keyslot) ? NULL : "Key slot is invalid.";
}

enum status run_luks_kill_slot(const struct command *c)
{
	struct mortise_luks2 *header = NULL;
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;
	int keyslot;
	bool last;

	if (!parse_keyslot(command_word(c, 1), &keyslot))
		return STATUS_USAGE; /* not reached: check_kill_slot() refuses it */
	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	if (keyslot >= (int)MORTISE_KEYSLOTS_MAX) {
		status = STATUS_USAGE;
		goto out;
	}
	if (mortise_keyslot_info(header, keyslot, &info, &err)) {
		status = fail_with(STATUS_USAGE, "Keyslot %d is not active.", keyslot);
		goto out;
	}
	verbose(c, "Keyslot %d is selected for deletion.", keyslot);
	last = !info.unbound && mortise_keyslot_others(header, keyslot) == 0;
	if (!option_set(&c->options, OPTION_BATCH_MODE) ||
	    option_set(&c->options, OPTION_KEY_FILE) || !isatty(STDIN_FILENO)) {
		status = verify(c, &paths, header, keyslot, last);
		if (status != STATUS_OK)
			goto out;
	}
	if (mortise_keyslot_remove(header, keyslot, &err))
		status = fail(c, &err);
	else
		say_slot(c, keyslot, SLOT_REMOVED);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
out:
	mortise_luks2_free(&header);
	return status;
}
