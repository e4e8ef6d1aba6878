/* SPDX-License-Identifier: MIT */
/* luksConvertKey: other parameters for a keyslot, which keeps number and passphrase. */
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/print.h"
#include "cli/verbs.h"

static enum status convert(const struct command *c, const struct paths *paths,
			   struct mortise_luks2 *header, const struct mortise_keyslot_new *what)
{
	const struct unlock_passphrase how = {
		.device = paths->header,
		.prompt = "Enter passphrase for keyslot to be converted: ",
		.search = { .struct_size = sizeof(how.search),
			    .keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
			    .unbound = true },
	};
	struct mortise_secret *passphrase = NULL, *key = NULL;
	struct mortise_error err = { 0 };
	enum status status;
	int opened;

	status = unlock_keyslot(c, &how, header, &passphrase, &key, &opened);
	if (status != STATUS_OK)
		return status;
	if (mortise_keyslot_change(header, opened, what, passphrase, key, &err))
		status = fail(c, &err);
	else
		say_slot(c, opened, SLOT_CREATED);
	mortise_secret_free(&key);
	mortise_secret_free(&passphrase);
	return status;
}

enum status run_luks_convert_key(const struct command *c)
{
	const int keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header = NULL;
	struct mortise_keyslot_new what;
	struct mortise_kdf_choice kdf;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS2", &header);
	if (status != STATUS_OK)
		return status;
	if (keyslot != MORTISE_ANY && mortise_keyslot_info(header, keyslot, &info, NULL))
		status = fail_with(STATUS_USAGE, "Keyslot %d is not active.", keyslot);
	if (status == STATUS_OK)
		status = keyslot_describe(c, &what, &kdf);
	if (status == STATUS_OK)
		status = convert(c, &paths, header, &what);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return status;
}
