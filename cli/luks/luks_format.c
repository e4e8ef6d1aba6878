/* SPDX-License-Identifier: MIT */
/* luksFormat: create a header with one keyslot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/byte_progress.h"
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/luks/format.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/luks/signatures.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "cli/signals.h"
#include "cli/write.h"

#define SECTOR			 512u	  /* bytes; --offset and --align-payload count them */
#define HEADER_FILE_SIZE	 4096	  /* bytes a new header file starts with */
#define DIGEST_ITERATIONS_FORCED 1000u	  /* as cryptsetup: no benchmark for the digest either */
#define KEYSLOTS_SMALL		 4161536u /* bytes; cryptsetup 2.6.1 warns below this */

enum status format_make_file(const struct command *c, const struct paths *paths, bool *created)
{
	enum status status = STATUS_OK;
	struct stat st;
	int fd;

	*created = false;
	if (!paths->detached || stat(paths->header, &st) == 0 || errno != ENOENT)
		return STATUS_OK;
	if (!option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm("Header file does not exist, do you want to create it?",
			      "Operation aborted.\n"))
		return STATUS_KEY;
	fd = open(paths->header, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0 || posix_fallocate(fd, 0, HEADER_FILE_SIZE) != 0 ||
	    !sync_folder_of(paths->header))
		status = fail_with(STATUS_USAGE, "Cannot create header file %s.", paths->header);
	*created = status == STATUS_OK;
	if (fd >= 0)
		close(fd);
	return status;
}

static enum status confirm(const char *device)
{
	char warning[PATH_MAX + 64];
	enum status status;

	status = signatures_show(device);
	if (status != STATUS_OK)
		return status;
	snprintf(warning, sizeof(warning), "This will overwrite data on %s irrevocably.", device);
	return terminal_confirm(warning, "Operation aborted.\n") ? STATUS_OK : STATUS_USAGE;
}

void format_describe(const struct command *c, const char *cipher, struct mortise_format *format)
{
	const struct options *options = &c->options;

	*format = (struct mortise_format){
		.struct_size = sizeof(struct mortise_format),
		.cipher = cipher,
		.key_size = option_number32(options, OPTION_KEY_SIZE) / 8,
		.hash = option_text(options, OPTION_HASH),
		.sector_size = option_number32(options, OPTION_SECTOR_SIZE),
		.label = option_text(options, OPTION_LABEL),
		.subsystem = option_text(options, OPTION_SUBSYSTEM),
		.uuid = option_text(options, OPTION_UUID),
		.metadata_size = option_number(options, OPTION_LUKS2_METADATA_SIZE),
		.keyslots_size = option_number(options, OPTION_LUKS2_KEYSLOTS_SIZE),
		.data_offset = option_number(options, OPTION_OFFSET) * SECTOR,
		.data_offset_given = option_set(options, OPTION_OFFSET),
		.data_alignment = option_number(options, OPTION_ALIGN_PAYLOAD) * SECTOR,
		.integrity = option_text(options, OPTION_INTEGRITY),
		.integrity_key_size = option_number32(options, OPTION_INTEGRITY_KEY_SIZE) / 8,
		.integrity_legacy_padding = option_set(options, OPTION_INTEGRITY_LEGACY_PADDING),
		.integrity_inline = option_set(options, OPTION_INTEGRITY_INLINE),
	};
	if (option_set(options, OPTION_PBKDF_FORCE_ITERATIONS))
		format->digest_iterations = DIGEST_ITERATIONS_FORCED;
}

/* The key file may be the second argument; --key-file takes precedence. */
static const char *key_file(const struct command *c)
{
	const char *named = option_text(&c->options, OPTION_KEY_FILE);
	const char *word = command_word(c, 1);

	if (named && word)
		print_to(stderr,
			 "Option --key-file takes precedence over specified key file argument.\n");
	return named ? named : word;
}

static uint64_t find_size(const char *device)
{
	const int fd = open(device, O_RDONLY | O_CLOEXEC);
	off_t size = -1;

	if (fd >= 0) {
		size = lseek(fd, 0, SEEK_END);
		close(fd);
	}
	return size < 0 ? UINT64_MAX : (uint64_t)size;
}

/* Prints cryptsetup's warnings for small devices, which go to standard output. */
static void warn_small(const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };

	if (mortise_header_info(header, &info, NULL) ||
	    mortise_segment_info(header, 0, &segment, NULL))
		return;
	if (info.keyslots_size < KEYSLOTS_SMALL)
		print("WARNING: keyslots area (%llu bytes) is very small, available LUKS2 keyslot "
		      "count is very limited.\n",
		      (unsigned long long)info.keyslots_size);
	if (find_size(info.device) <= segment.offset)
		print("Device %s is too small for activation, there is no remaining space for "
		      "data.\n",
		      info.device);
}

/* Gives every sector a tag. Interrupted, the volume opens, but its other sectors are unreadable. */
static enum status wipe(const struct command *c, struct mortise_luks2 *header,
			const struct mortise_format *format)
{
	struct mortise_error err = { 0 };
	enum mortise_code code;

	if (!format->integrity || option_set(&c->options, OPTION_INTEGRITY_NO_WIPE) ||
	    strcmp(format->integrity, "none") == 0)
		return STATUS_OK;
	if (!option_set(&c->options, OPTION_BATCH_MODE))
		print("Wiping device to initialize integrity checksum.\n"
		      "You can interrupt this by pressing CTRL+c (rest of not wiped device will "
		      "contain invalid checksum).\n");
	code = mortise_integrity_wipe(header, NULL, &err);
	if (code == MORTISE_E_CANCELED)
		return fail_with(STATUS_USAGE, "\nWipe interrupted.");
	return code ? fail(c, &err) : STATUS_OK;
}

/* Creates the header with its keyslot, and prints the messages about both. */
static enum status create(const struct command *c, const struct paths *paths,
			  const struct mortise_format *format,
			  const struct mortise_keyslot_new *what,
			  const struct mortise_secret *passphrase)
{
	struct mortise_events events;
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &events,
		.device = paths->device,
		.header = paths->detached ? paths->header : NULL,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
		.allow_cipher = option_text(&c->options, OPTION_ALLOW_CIPHER),
	};
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	struct byte_progress progress;
	int added;

	byte_progress_begin(&progress, c, paths->device, &events);
	if (mortise_luks2_format(&location, format, &header, &err) ||
	    mortise_keyslot_add(header, what, passphrase, NULL, &added, &err)) {
		/* cryptsetup detects this before it asks for anything, and exits with 1. */
		status = err.code == MORTISE_E_BUSY
				 ? fail_with(STATUS_USAGE,
					     "Cannot exclusively open %s, device in use.",
					     paths->header)
				 : fail(c, &err);
	} else {
		warn_small(header);
		say_slot(c, added, SLOT_CREATED);
		status = wipe(c, header, format);
	}
	mortise_luks2_free(&header);
	return status;
}

enum status format_read_keys(const struct command *c, const char *device, const char *key_file,
			     const struct mortise_format *format,
			     struct mortise_secret **passphrase, struct mortise_secret **volume_key)
{
	const char *vk_file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum status status;
	uint32_t size;

	if (mortise_format_key_size(format, &size, &err))
		return fail(c, &err);
	passphrase_new_source(c, device, key_file, &source);
	source.offset = option_number(&c->options, OPTION_KEYFILE_OFFSET);
	source.size = option_number(&c->options, OPTION_KEYFILE_SIZE);
	status = passphrase_read(c, &source, passphrase);
	return status == STATUS_OK && vk_file ? volume_key_read(vk_file, size, volume_key) : status;
}

/* Reads the keys and creates the header. */
static enum status read_and_create(const struct command *c, const struct paths *paths,
				   struct mortise_format *format,
				   const struct mortise_keyslot_new *what)
{
	struct mortise_secret *passphrase = NULL, *volume_key = NULL;
	enum status status =
		format_read_keys(c, paths->header, key_file(c), format, &passphrase, &volume_key);

	format->volume_key = volume_key;
	if (status == STATUS_OK)
		status = create(c, paths, format, what, passphrase);
	mortise_secret_free(&volume_key);
	mortise_secret_free(&passphrase);
	return status;
}

enum status run_luks_format(const struct command *c)
{
	const char *given_cipher = option_text(&c->options, OPTION_CIPHER);
	char cipher[MORTISE_CIPHER_MAX + 1];
	struct mortise_keyslot_new what;
	struct mortise_kdf_choice kdf;
	struct mortise_format format;
	struct paths paths;
	enum status status;
	bool created;

	if (option_number(&c->options, OPTION_OFFSET) > UINT64_MAX / SECTOR)
		return fail_with(STATUS_USAGE, "Requested data offset is too large.");
	cipher_whole(given_cipher ? given_cipher : "aes-xts-plain64", cipher);
	paths_find(c, command_word(c, 0), &paths);
	format_describe(c, cipher, &format);
	status = keyslot_describe(c, &what, &kdf);
	if (status != STATUS_OK)
		return status;
	what.keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	status = keyslot_check_free(NULL, what.keyslot);
	if (status != STATUS_OK)
		return status;
	status = format_make_file(c, &paths, &created);
	if (status != STATUS_OK)
		return status;
	if (access(paths.header, F_OK) != 0)
		return fail_with(STATUS_DEVICE, "Device %s does not exist or access denied.",
				 paths.header);
	if (!created && !option_set(&c->options, OPTION_BATCH_MODE)) {
		status = confirm(paths.header);
		if (status != STATUS_OK)
			return status;
	}
	status = read_and_create(c, &paths, &format, &what);
	if (status != STATUS_OK && created)
		(void)unlink(paths.header);
	return status;
}
