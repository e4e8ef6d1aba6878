/* SPDX-License-Identifier: MIT */
/* luksChangeKey: change the passphrase of a keyslot, which keeps its number. */
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/verbs.h"

static enum status change(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, const struct mortise_keyslot_new *what)
{
	const struct unlock_passphrase how = {
		.device = paths->header,
		.prompt = "Enter passphrase to be changed: ",
		.search = { .struct_size = sizeof(how.search),
			    .keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
			    .unbound = true },
	};
	struct mortise_secret *old = NULL, *new = NULL, *key = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum status status;
	int opened;

	status = unlock_keyslot(c, &how, header, &old, &key, &opened);
	if (status != STATUS_OK)
		return status;
	say_slot(c, opened, SLOT_UNLOCKED);
	passphrase_new_source(c, paths->header, command_word(c, 1), &source);
	source.prompt = "Enter new passphrase: ";
	status = passphrase_read(c, &source, &new);
	if (status != STATUS_OK)
		goto out;
	if (mortise_keyslot_change(header, opened, what, new, key, &err))
		status = fail(c, &err);
	else
		say_slot(c, opened, SLOT_CREATED);
out:
	mortise_secret_free(&key);
	mortise_secret_free(&new);
	mortise_secret_free(&old);
	return status;
}

enum status run_luks_change_key(const struct command *c)
{
	struct mortise_luks2 *header = NULL;
	struct mortise_keyslot_new what;
	struct mortise_kdf_choice kdf;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	status = keyslot_describe(c, &what, &kdf);
	if (status == STATUS_OK)
		status = change(c, &paths, header, &what);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return status;
}
