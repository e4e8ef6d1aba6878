/* SPDX-License-Identifier: MIT */
/* luksRemoveKey: remove the keyslot that a passphrase opens. */
#include <stdio.h>

#include "cli/device.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/luks/seal.h"
#include "cli/verbs.h"

static enum status remove_keyslot(const struct command *c, struct mortise_luks2 *header,
				  int keyslot)
{
	struct mortise_error err = { 0 };

	verbose(c, "Keyslot %d is selected for deletion.", keyslot);
	if (mortise_keyslot_others(header, keyslot) == 0 &&
	    !option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm(
		    "This is the last keyslot. Device will become unusable after purging this key.",
		    "Operation aborted, the keyslot was NOT wiped.\n"))
		return STATUS_KEY;
	if (mortise_keyslot_remove(header, keyslot, &err))
		return fail(c, &err);
	say_slot(c, keyslot, SLOT_REMOVED);
	return STATUS_OK;
}

enum status run_luks_remove_key(const struct command *c)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_secret *passphrase = NULL;
	struct mortise_luks2 *header = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;
	int opened;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	passphrase_source(c, paths.header, &source);
	source.prompt = "Enter passphrase to be deleted: ";
	if (source.file && command_word(c, 1))
		print_to(stderr,
			 "Option --key-file takes precedence over specified key file argument.\n");
	else if (command_word(c, 1))
		source.file = command_word(c, 1);
	status = passphrase_read(c, &source, &passphrase);
	if (status != STATUS_OK)
		goto out;
	if (mortise_keyslot_open(header, &search, passphrase, NULL, &opened, &err)) {
		status = fail_passphrase(c, &err);
		goto out;
	}
	say_slot(c, opened, SLOT_UNLOCKED);
	status = remove_keyslot(c, header, opened);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
out:
	mortise_secret_free(&passphrase);
	mortise_luks2_free(&header);
	return status;
}
