/* SPDX-License-Identifier: MIT */
/* open --type plain: a mapping without a header, as in cryptsetup 2.6.1. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/luks/open.h"
#include "cli/luks/signatures.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/terminal.h"

#define SECTOR		 512u
#define KEY_SIZE_DEFAULT 32u /* bytes */

/* A key file is not hashed: it is the key. "plain" does not hash either. */
static const char *choose_hash(const struct command *c, bool from_file)
{
	const char *hash = option_text(&c->options, OPTION_HASH);
	const bool batch = option_set(&c->options, OPTION_BATCH_MODE);

	if (from_file && hash && !batch)
		print("WARNING: The --hash parameter is being ignored in plain mode with keyfile "
		      "specified.\n");
	if (from_file && option_set(&c->options, OPTION_KEYFILE_SIZE) && !batch)
		print("WARNING: The --keyfile-size option is being ignored, the read size is the "
		      "same as the encryption key size.\n");
	return from_file ? "plain" : hash;
}

enum status plain_read_key(const struct command *c, const char *device, uint32_t key_size,
			   struct mortise_secret **key)
{
	const char *file = option_text(&c->options, OPTION_KEY_FILE);
	const bool from_file = !passphrase_is_stdin(file);
	const char *hash = choose_hash(c, from_file);
	struct mortise_secret *passphrase = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum status status;

	passphrase_source(c, device, &source);
	if (file && hash && strcmp(hash, "plain") == 0)
		source.size = key_size;
	status = passphrase_read(c, &source, &passphrase);
	if (status == STATUS_OK && mortise_plain_key(hash, key_size, passphrase, key, &err))
		status = fail(c, &err);
	mortise_secret_free(&passphrase);
	return status;
}

/* Nothing tells whether the device is a plain one, so what looks like another use is reported. */
static enum status confirm(const struct command *c, const char *device)
{
	const bool batch = option_set(&c->options, OPTION_BATCH_MODE);
	char warning[PATH_MAX + 128];
	struct signatures found;
	enum status status;

	if (option_number(&c->options, OPTION_OFFSET) != 0)
		return STATUS_OK;
	status = signatures_find(device, 0, batch ? SIGNATURES_NONE : SIGNATURES_ALL, &found);
	if (status != STATUS_OK || found.count == 0 || batch)
		return status;
	snprintf(warning, sizeof(warning),
		 "Detected device signature(s) on %s. Proceeding further may damage existing data.",
		 device);
	return terminal_confirm(warning, "Operation aborted.\n") ? STATUS_OK : STATUS_USAGE;
}

/* The defaults differ between releases of cryptsetup, and a wrong one shows only as garbage. */
static void warn_of_defaults(const struct command *c)
{
	if (c->as_cryptsetup || option_set(&c->options, OPTION_BATCH_MODE) ||
	    (option_set(&c->options, OPTION_CIPHER) && option_set(&c->options, OPTION_KEY_SIZE) &&
	     (option_set(&c->options, OPTION_HASH) ||
	      !passphrase_is_stdin(option_text(&c->options, OPTION_KEY_FILE)))))
		return;
	print_to(stderr,
		 "mortise: the defaults of a plain mapping (aes-cbc-essiv:sha256, 256 bits, "
		 "hash ripemd160) differ in cryptsetup 2.7 and later; use --cipher, "
		 "--key-size and --hash\n");
}

enum status open_plain(const struct command *c)
{
	const uint32_t bits = option_number32(&c->options, OPTION_KEY_SIZE);
	const char *cipher = option_text(&c->options, OPTION_CIPHER);
	const uint32_t key_size = bits ? bits / 8 : KEY_SIZE_DEFAULT;
	const char *name = command_word(c, 1);
	char whole[MORTISE_CIPHER_MAX + 1];
	struct mortise_secret *key = NULL;
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;
	uint32_t dropped;

	if (!name)
		return fail_with(STATUS_USAGE,
				 "Command requires device and mapped name as arguments.");
	paths_find(c, command_word(c, 0), &paths);
	struct mortise_plain plain = {
		.struct_size = sizeof(plain),
		.device = paths.device,
		.offset = option_number(&c->options, OPTION_OFFSET) * SECTOR,
		.size = option_set(&c->options, OPTION_DEVICE_SIZE)
				? option_number(&c->options, OPTION_DEVICE_SIZE)
				: option_number(&c->options, OPTION_SIZE) * SECTOR,
		.iv_offset = option_number(&c->options, OPTION_SKIP),
		.sector_size = option_number32(&c->options, OPTION_SECTOR_SIZE),
		.iv_large_sectors = option_set(&c->options, OPTION_IV_LARGE_SECTORS),
		.shared = option_set(&c->options, OPTION_SHARED),
	};
	if (cipher) {
		cipher_whole(cipher, whole);
		plain.cipher = whole;
	}
	if (mortise_is_active(name, NULL) == MORTISE_OK)
		return fail_with(STATUS_BUSY, "Device %s already exists.", name);
	if (access(paths.device, F_OK) != 0)
		return fail_with(STATUS_DEVICE, "Device %s does not exist or access denied.",
				 paths.device);
	warn_of_defaults(c);
	status = confirm(c, paths.device);
	if (status == STATUS_OK)
		status = plain_read_key(c, paths.device, key_size, &key);
	if (status == STATUS_OK &&
	    mortise_plain_open(&plain, name, key, open_flags(c), &dropped, &err)) {
		status = fail(c, &err);
		/* cryptsetup's status if the kernel lacks the cipher. */
		if (err.code == MORTISE_E_KERNEL)
			status = STATUS_DEVICE;
	}
	if (status == STATUS_OK)
		open_say_dropped(c, dropped);
	mortise_secret_free(&key);
	return status;
}
