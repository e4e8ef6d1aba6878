/* SPDX-License-Identifier: MIT */
/* luksDump --dump-volume-key: confirm, unlock, and print the key or write it to a new file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/luks/luks_dump.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/terminal.h"

#define SECTOR 512u /* bytes; "Payload offset" counts them */

static enum status unlock(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, const struct mortise_key_search *search,
			  struct mortise_secret **key)
{
	const char *file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);
	struct mortise_secret *passphrase = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum status status;
	int opened;

	passphrase_source(c, paths->header, &source);
	source.verify = false;
	status = passphrase_read(c, &source, &passphrase);
	if (status != STATUS_OK)
		return status;
	if (mortise_keyslot_open(header, search, passphrase, key, &opened, &err))
		status = fail_passphrase(c, &err);
	mortise_secret_free(&passphrase);
	if (status != STATUS_OK)
		return status;
	say_slot(c, opened, SLOT_UNLOCKED);
	return file ? volume_key_write(file, *key) : STATUS_OK;
}

/* Prints the key, or writes it to a file and prints the name. */
static enum status show_key(const struct command *c, const char *title,
			    const struct mortise_secret *key)
{
	const char *file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);

	if (!file)
		return print_secret(title, key);
	print("Key stored to file %s.\n", file);
	return STATUS_OK;
}

enum status dump_volume_key(const struct command *c, const struct paths *paths,
			    struct mortise_luks2 *header)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_secret *key = NULL;
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	enum status status;
	const char *mode;

	if (!option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm("The header dump with volume key is sensitive information\n"
			      "that allows access to encrypted partition without a passphrase.\n"
			      "This dump should be stored encrypted in a safe place.",
			      NULL))
		return STATUS_KEY;
	if (mortise_segment_info(header, 0, &segment, &err))
		return fail(c, &err);
	status = unlock(c, paths, header, &search, &key);
	if (status != STATUS_OK)
		goto out;
	(void)mortise_header_info(header, &info, NULL);
	mode = strchr(segment.cipher, '-');
	print("LUKS header information for %s\n", paths->header);
	print("Cipher name:   \t%.*s\n", (int)strcspn(segment.cipher, "-"), segment.cipher);
	print("Cipher mode:   \t%s\n", mode ? mode + 1 : "");
	print("Payload offset:\t%" PRIu64 "\n", segment.offset / SECTOR);
	print("UUID:          \t%s\n", info.uuid);
	print("MK bits:       \t%zu\n", mortise_secret_size(key) * 8);
	status = show_key(c, "MK dump:\t", key);
out:
	mortise_secret_free(&key);
	return status;
}

enum status dump_unbound_key(const struct command *c, const struct paths *paths,
			     struct mortise_luks2 *header)
{
	int keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = keyslot,
						   .unbound = true };
	struct mortise_secret *key = NULL;
	struct mortise_keyslot_info slot = { .struct_size = sizeof(slot) };
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	enum status status;

	if (mortise_keyslot_info(header, keyslot, &slot, NULL) || !slot.unbound)
		return fail_with(STATUS_USAGE, "Keyslot %d does not contain unbound key.", keyslot);
	if (!option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm("The header dump with unbound key is sensitive information.\n"
			      "This dump should be stored encrypted in a safe place.",
			      NULL))
		return STATUS_KEY;
	status = unlock(c, paths, header, &search, &key);
	if (status != STATUS_OK)
		goto out;
	(void)mortise_header_info(header, &info, NULL);
	print("LUKS header information for %s\n", paths->header);
	print("UUID:    \t%s\n", info.uuid);
	print("Keyslot: \t%d\n", keyslot);
	print("Key bits:\t%zu\n", mortise_secret_size(key) * 8);
	status = show_key(c, "Unbound Key:\t", key);
out:
	mortise_secret_free(&key);
	return status;
}
