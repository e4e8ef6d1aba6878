/* SPDX-License-Identifier: MIT */
/* luksAddKey: add a keyslot for the volume key, or for an unbound key. */
#include <stdio.h>

#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/sources.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/verbs.h"

/*
 * --key-slot is the new keyslot, for compatibility with versions before --new-key-slot. Together with
 * --new-key-slot it is the keyslot to unlock.
 */
struct slots {
	int unlock;
	int added;
};

static struct slots find_slots(const struct command *c)
{
	int key_slot = option_slot(&c->options, OPTION_KEY_SLOT);

	if (option_set(&c->options, OPTION_NEW_KEY_SLOT))
		return (struct slots){ key_slot, option_slot(&c->options, OPTION_NEW_KEY_SLOT) };
	if (option_set(&c->options, OPTION_KEY_SLOT) && !option_set(&c->options, OPTION_BATCH_MODE))
		print("WARNING: The --key-slot parameter is used for new keyslot number.\n");
	return (struct slots){ MORTISE_ANY, key_slot };
}

static enum status key_from_passphrase(const struct command *c, const struct paths *paths,
				       struct mortise_luks2 *header, int keyslot,
				       struct mortise_secret **volume_key)
{
	const struct unlock_passphrase how = {
		.device = paths->header,
		.prompt = "Enter any existing passphrase: ",
		.search = { .struct_size = sizeof(how.search), .keyslot = keyslot },
	};
	struct mortise_secret *passphrase = NULL;
	enum status status;
	int opened;

	status = unlock_keyslot(c, &how, header, &passphrase, volume_key, &opened);
	if (status == STATUS_OK && passphrase_is_stdin(option_text(&c->options, OPTION_KEY_FILE)))
		say_slot(c, opened, SLOT_UNLOCKED);
	mortise_secret_free(&passphrase);
	return status;
}

/* cryptsetup 2.6.1 ignores --new-keyfile and --new-token-id for an unbound key. */
static const char *new_key_file(const struct command *c, bool unbound)
{
	const char *file = command_word(c, 1);

	return file || unbound ? file : option_text(&c->options, OPTION_NEW_KEYFILE);
}

static bool new_key_is_of_token(const struct command *c, bool unbound)
{
	return !unbound && option_set(&c->options, OPTION_NEW_TOKEN_ID) &&
	       passphrase_is_stdin(new_key_file(c, unbound));
}

/* From --new-token-id, a key file or the prompt, in cryptsetup's order. */
static enum status new_passphrase(const struct command *c, const struct paths *paths,
				  struct mortise_luks2 *header, bool unbound,
				  struct mortise_secret **passphrase)
{
	struct mortise_key_sources sources;
	struct passphrase_source source;
	struct mortise_error err = { 0 };

	if (new_key_is_of_token(c, unbound)) {
		sources_fill(c, &sources);
		return mortise_token_passphrase(header,
						option_slot(&c->options, OPTION_NEW_TOKEN_ID),
						&sources, passphrase, &err)
			       ? fail(c, &err)
			       : STATUS_OK;
	}
	passphrase_new_source(c, paths->header, new_key_file(c, unbound), &source);
	source.prompt = "Enter new passphrase for key slot: ";
	return passphrase_read(c, &source, passphrase);
}

static enum status add(const struct command *c, const struct paths *paths,
		       struct mortise_luks2 *header, struct mortise_keyslot_new *what,
		       const struct mortise_secret *volume_key)
{
	struct mortise_secret *passphrase = NULL;
	struct mortise_error err = { 0 };
	enum status status;
	int added;

	status = new_passphrase(c, paths, header, what->unbound, &passphrase);
	if (status != STATUS_OK)
		return status;
	status = keyslot_check_free(header, what->keyslot);
	if (status != STATUS_OK)
		goto out;
	if (mortise_keyslot_add(header, what, passphrase, volume_key, &added, &err)) {
		status = fail(c, &err);
		goto out;
	}
	say_slot(c, added, SLOT_CREATED);
	if (new_key_is_of_token(c, what->unbound) &&
	    mortise_token_assign(header, option_slot(&c->options, OPTION_NEW_TOKEN_ID), added, true,
				 &err))
		status = fail(c, &err);
out:
	mortise_secret_free(&passphrase);
	return status;
}

static enum status add_unbound(const struct command *c, const struct paths *paths,
			       struct mortise_luks2 *header, struct mortise_keyslot_new *what)
{
	const char *file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);
	uint32_t size = option_number32(&c->options, OPTION_KEY_SIZE) / 8;
	struct mortise_secret *key = NULL;
	enum status status = STATUS_OK;

	what->keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	what->unbound = true;
	what->unbound_key_size = size;
	if (file)
		status = volume_key_read(file, size, &key);
	what->unbound_key = key;
	if (status == STATUS_OK)
		status = add(c, paths, header, what, NULL);
	mortise_secret_free(&key);
	return status;
}

static enum status add_bound(const struct command *c, const struct paths *paths,
			     struct mortise_luks2 *header, struct mortise_keyslot_new *what)
{
	const struct slots slots = find_slots(c);
	struct mortise_secret *volume_key = NULL;
	enum status status;
	int opened;

	what->keyslot = slots.added;
	if (header_has_volume_key(c))
		status = header_read_volume_key(c, header, &volume_key);
	else if (passphrase_is_stdin(option_text(&c->options, OPTION_KEY_FILE)) &&
		 unlock_wants_token(c))
		status = unlock_by_token(c, header, &volume_key, &opened);
	else
		status = key_from_passphrase(c, paths, header, slots.unlock, &volume_key);
	if (status == STATUS_OK)
		status = add(c, paths, header, what, volume_key);
	mortise_secret_free(&volume_key);
	return status;
}

enum status run_luks_add_key(const struct command *c)
{
	bool unbound = option_set(&c->options, OPTION_UNBOUND);
	struct mortise_luks2 *header = NULL;
	struct mortise_keyslot_new what;
	struct mortise_kdf_choice kdf;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, unbound ? "LUKS2" : "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	status = keyslot_describe(c, &what, &kdf);
	if (status == STATUS_OK)
		status = unbound ? add_unbound(c, &paths, header, &what)
				 : add_bound(c, &paths, header, &what);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return status;
}
