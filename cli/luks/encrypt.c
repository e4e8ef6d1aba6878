/* SPDX-License-Identifier: MIT */
/* reencrypt --encrypt: the data of a plain device, in place. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/keyslot.h"
#include "cli/luks/format.h"
#include "cli/luks/reencrypt.h"
#include "cli/luks/signatures.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"

#define SECTOR	  512u	 /* bytes; --offset counts them */
#define COPY_SIZE 16384u /* bytes of a header copy by default */

/* The first keyslot of the new header. */
struct first_keyslot {
	const struct command *command;
	const struct mortise_keyslot_new *what;
	const struct mortise_secret *passphrase;
};

static enum mortise_code add_keyslot(void *context, struct mortise_luks2 *header,
				     struct mortise_error *err)
{
	const struct first_keyslot *first = context;
	int added;
	enum mortise_code code =
		mortise_keyslot_add(header, first->what, first->passphrase, NULL, &added, err);

	if (!code)
		say_slot(first->command, added, SLOT_CREATED);
	return code;
}

static enum status check_plain(const struct command *c, const char *device)
{
	struct signatures found;
	enum status status = signatures_find(device, 0, SIGNATURES_NONE, &found);

	if (status == STATUS_OK && strcmp(found.type, "crypto_LUKS") == 0)
		return fail_with(STATUS_USAGE,
				 "Device %s contains broken LUKS metadata. Aborting operation.",
				 device);
	/* The kernel would refuse writes of the file system's blocks. */
	if (status == STATUS_OK && option_set(&c->options, OPTION_SECTOR_SIZE))
		status = signatures_check_sector(device,
						 option_number32(&c->options, OPTION_SECTOR_SIZE));
	return status;
}

/* --offset is the start of the data, and half of the reduction. */
static enum status choose_reduction(const struct command *c, const struct paths *paths,
				    struct mortise_format *format, uint64_t *reduction)
{
	const struct options *options = &c->options;
	const uint64_t offset = format->data_offset;

	*reduction = option_number(options, OPTION_REDUCE_DEVICE_SIZE);
	if (paths->detached) {
		const uint64_t copies =
			2 * (format->metadata_size ? format->metadata_size : COPY_SIZE);

		/* So that the header can move to the start of the device later. */
		if (*reduction && !format->keyslots_size && *reduction > copies)
			format->keyslots_size = *reduction - copies;
		if (*reduction && copies + format->keyslots_size > *reduction)
			return fail_with(STATUS_USAGE,
					 "LUKS2 metadata size is larger than data shift value.");
		return STATUS_OK;
	}
	if (offset && *reduction && offset > *reduction / 2)
		return fail_with(STATUS_USAGE,
				 "Requested data offset must be less than or equal to half of "
				 "--reduce-device-size parameter.");
	if (offset && *reduction && offset < *reduction / 2) {
		*reduction = 2 * offset;
		print("Adjusting --reduce-device-size value to twice the --offset %llu "
		      "(sectors).\n",
		      (unsigned long long)(*reduction / SECTOR));
	}
	return STATUS_OK;
}

static bool confirm(const struct command *c, const struct paths *paths, uint64_t reduction)
{
	char question[PATH_MAX + 200];

	if (option_set(&c->options, OPTION_BATCH_MODE) || paths->detached)
		return true;
	snprintf(question, sizeof(question),
		 "This will encrypt the data on %s in place, and overwrite the last %llu bytes.",
		 paths->device, (unsigned long long)reduction);
	return terminal_confirm(question, "Operation aborted.\n");
}

static enum status begin(const struct command *c, const struct paths *paths,
			 const struct mortise_format *format, uint64_t reduction,
			 const struct mortise_keyslot_new *what, struct reencrypt_start *start)
{
	const struct options *options = &c->options;
	struct first_keyslot first = { c, what, start->passphrase };
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &signals_events,
		.device = paths->device,
		.header = paths->detached ? paths->header : NULL,
		.no_locks = option_set(options, OPTION_DISABLE_LOCKS),
		.allow_cipher = option_text(options, OPTION_ALLOW_CIPHER),
	};
	const struct mortise_encrypt_new encryption = {
		.struct_size = sizeof(encryption),
		.reduction = reduction,
		.resilience = option_text(options, OPTION_RESILIENCE),
		.resilience_hash = option_text(options, OPTION_RESILIENCE_HASH),
		.device_size = option_number(options, OPTION_DEVICE_SIZE),
		.fill = add_keyslot,
		.context = &first,
	};
	struct mortise_error err = { 0 };

	return mortise_encrypt_begin(&location, format, &encryption, &start->header, &err)
		       ? fail(c, &err)
		       : STATUS_OK;
}

enum status encrypt_start(const struct command *c, const struct paths *paths,
			  struct reencrypt_start *start)
{
	const char *given = option_text(&c->options, OPTION_CIPHER);
	char cipher[MORTISE_CIPHER_MAX + 1];
	struct mortise_secret *volume_key = NULL;
	struct mortise_keyslot_new what;
	struct mortise_kdf_choice kdf;
	struct mortise_format format;
	uint64_t reduction = 0;
	bool created = false;
	enum status status;

	cipher_whole(given ? given : "aes-xts-plain64", cipher);
	format_describe(c, cipher, &format);
	status = keyslot_describe(c, &what, &kdf);
	what.keyslot = option_set(&c->options, OPTION_KEY_SLOT)
			       ? option_slot(&c->options, OPTION_KEY_SLOT)
			       : 0;
	if (status == STATUS_OK)
		status = keyslot_check_free(NULL, what.keyslot);
	if (status == STATUS_OK)
		status = check_plain(c, paths->device);
	if (status == STATUS_OK)
		status = choose_reduction(c, paths, &format, &reduction);
	if (status == STATUS_OK && !confirm(c, paths, reduction))
		return STATUS_USAGE;
	if (status == STATUS_OK)
		status = format_make_file(c, paths, &created);
	if (status == STATUS_OK)
		status = format_read_keys(c, paths->device,
					  option_text(&c->options, OPTION_KEY_FILE), &format,
					  &start->passphrase, &volume_key);
	format.volume_key = volume_key;
	if (status == STATUS_OK)
		status = begin(c, paths, &format, paths->detached ? 0 : reduction, &what, start);
	if (status != STATUS_OK && created)
		(void)unlink(paths->header);
	mortise_secret_free(&volume_key);
	return status;
}
