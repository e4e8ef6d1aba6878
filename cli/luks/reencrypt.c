/* SPDX-License-Identifier: MIT */
/* reencrypt: another volume key, cipher or sector size; encryption and decryption in place. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/byte_progress.h"
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/luks/open.h"
#include "cli/luks/reencrypt.h"
#include "cli/luks/seal.h"
#include "cli/luks/signatures.h"
#include "cli/luks/unlock.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

#define REDUCTION_MAX (1u << 30) /* bytes, as in cryptsetup */

const char *check_reencrypt(const struct command *c)
{
	const struct options *options = &c->options;

	const uint64_t reduction = option_number(options, OPTION_REDUCE_DEVICE_SIZE);

	if (option_set(options, OPTION_REDUCE_DEVICE_SIZE) &&
	    option_set(options, OPTION_DEVICE_SIZE))
		return "Options --reduce-device-size and --data-size cannot be combined.";
	if (reduction > REDUCTION_MAX)
		return "Maximum device reduce size is 1 GiB.";
	if (reduction % 512 != 0)
		return "Reduce size must be multiple of 512 bytes sector.";
	if (reduction && !option_set(options, OPTION_ENCRYPT))
		return "Option --reduce-device-size is allowed only with --encrypt.";
	if (option_set(options, OPTION_ENCRYPT) && option_set(options, OPTION_DECRYPT))
		return "Options --encrypt and --decrypt cannot be combined.";
	if (option_set(options, OPTION_INIT_ONLY) && option_set(options, OPTION_RESUME_ONLY))
		return "Options --init-only and --resume-only cannot be combined.";
	if (option_set(options, OPTION_KEEP_KEY) && option_set(options, OPTION_VOLUME_KEY_FILE))
		return "Options --keep-key and --volume-key-file cannot be combined.";
	if (option_set(options, OPTION_ACTIVE_NAME) &&
	    option_set(options, OPTION_FORCE_OFFLINE_REENCRYPT))
		return "Options --active-name and --force-offline-reencrypt cannot be combined.";
	if (option_number(options, OPTION_HOTZONE_SIZE) % 512 != 0)
		return "Hotzone size must be multiple of 512 bytes sector.";
	if (option_number(options, OPTION_DEVICE_SIZE) % 512 != 0)
		return "Device size must be multiple of 512 bytes sector.";
	return NULL;
}

/* --- beginning --- */

/* The keyslots of the data and their passphrases. */
struct passphrases {
	struct mortise_reencrypt_keyslot slot[MORTISE_KEYSLOTS_MAX];
	struct mortise_secret *secret[MORTISE_KEYSLOTS_MAX]; /* the same, to free them */
	size_t count;
};

static void passphrases_free(struct passphrases *all)
{
	for (size_t i = 0; i < all->count; i++)
		mortise_secret_free(&all->secret[i]);
}

/* *used: all keyslots, also those of other keys. */
static size_t find_keyslots(const struct command *c, const struct mortise_luks2 *header,
			    struct passphrases *all, size_t *used)
{
	const int only = option_slot(&c->options, OPTION_KEY_SLOT);
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	size_t count = 0;

	*used = 0;
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (mortise_keyslot_info(header, id, &info, NULL) != MORTISE_OK)
			continue;
		++*used;
		if ((only == MORTISE_ANY || only == id) && !info.unbound &&
		    strcmp(info.type, "luks2") == 0)
			all->slot[count++].keyslot = id;
	}
	return count;
}

enum status reencrypt_read_passphrase(const struct command *c, const struct paths *paths,
				      struct mortise_luks2 *header, int keyslot, const char *prompt,
				      struct mortise_secret **passphrase)
{
	struct passphrase_source source;

	if (unlock_token_passphrase(c, header, keyslot, passphrase))
		return STATUS_OK;
	passphrase_source(c, paths->device, &source);
	source.prompt = prompt;
	return passphrase_read(c, &source, passphrase);
}

/* If the key changes, each keyslot gets a new one with its own passphrase, so all are needed. */
static enum status read_passphrases(const struct command *c, const struct paths *paths,
				    struct mortise_luks2 *header, struct passphrases *all)
{
	const bool one =
		option_set(&c->options, OPTION_DECRYPT) || option_set(&c->options, OPTION_KEEP_KEY);
	size_t used, count = find_keyslots(c, header, all, &used);
	enum status status = STATUS_OK;

	if (used + (one ? 0 : count) + 1 > MORTISE_KEYSLOTS_MAX)
		return fail_with(STATUS_USAGE, "Not enough free keyslots for reencryption.");
	if (one && count) {
		all->slot[0].keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
		count = 1;
	}
	if (count == 0)
		return fail_with(STATUS_USAGE,
				 option_set(&c->options, OPTION_KEY_SLOT)
					 ? "Keyslot %d is not active."
					 : "No usable keyslot is available.",
				 option_slot(&c->options, OPTION_KEY_SLOT));
	if (count > 1 && option_set(&c->options, OPTION_KEY_FILE))
		return fail_with(STATUS_USAGE, "Key file can be used only with --key-slot or with "
					       "exactly one key slot active.");
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		char prompt[64];

		snprintf(prompt, sizeof(prompt),
			 "Enter passphrase for key slot %d: ", all->slot[i].keyslot);
		status = reencrypt_read_passphrase(c, paths, header, all->slot[i].keyslot,
						   one ? NULL : prompt, &all->secret[i]);
		all->slot[i].passphrase = all->secret[i];
		all->count += status == STATUS_OK;
	}
	return status;
}

/* The kernel would refuse writes of smaller blocks, which a file system that is not open may have. */
static enum status check_sector_size(const struct command *c, const struct mortise_luks2 *header,
				     const char *active)
{
	struct mortise_segment_info now = { .struct_size = sizeof(now) };
	char path[PATH_MAX];

	if (mortise_segment_info(header, 0, &now, NULL) ||
	    option_number32(&c->options, OPTION_SECTOR_SIZE) <= now.sector_size ||
	    (!active && option_set(&c->options, OPTION_FORCE_OFFLINE_REENCRYPT)))
		return STATUS_OK;
	if (!active)
		return fail_with(STATUS_USAGE,
				 "Encryption sector size increase on offline device is not "
				 "supported.\nActivate the device first or use "
				 "--force-offline-reencrypt option (dangerous!).");
	snprintf(path, sizeof(path), "/dev/mapper/%s", active);
	return signatures_check_sector(path, option_number32(&c->options, OPTION_SECTOR_SIZE));
}

/* As in cryptsetup: another cipher has its usual key size, and without -s the same one keeps it. */
static enum status choose_key_size(const struct command *c, const struct mortise_luks2 *header,
				   const char *cipher, uint32_t *size)
{
	const struct mortise_format format = { .struct_size = sizeof(format), .cipher = cipher };
	struct mortise_segment_info now = { .struct_size = sizeof(now) };
	struct mortise_error err = { 0 };

	*size = option_number32(&c->options, OPTION_KEY_SIZE) / 8;
	if (*size || !cipher || mortise_segment_info(header, 0, &now, NULL) ||
	    strcmp(now.cipher, cipher) == 0)
		return STATUS_OK;
	return mortise_format_key_size(&format, size, &err) ? fail(c, &err) : STATUS_OK;
}

/* Without these, each new keyslot is like its old one. */
static bool has_cost(const struct options *options)
{
	static const enum option_id costs[] = {
		OPTION_PBKDF,	       OPTION_PBKDF_FORCE_ITERATIONS,
		OPTION_PBKDF_MEMORY,   OPTION_PBKDF_PARALLEL,
		OPTION_ITER_TIME,      OPTION_HASH,
		OPTION_KEYSLOT_CIPHER, OPTION_KEYSLOT_KEY_SIZE,
	};

	for (size_t i = 0; i < sizeof(costs) / sizeof(*costs); i++)
		if (option_set(options, costs[i]))
			return true;
	return false;
}

static enum status begin(const struct command *c, const struct paths *paths,
			 struct mortise_luks2 *header, const char *active, struct passphrases *all)
{
	const struct options *options = &c->options;
	const char *given = option_text(options, OPTION_CIPHER);
	char cipher[MORTISE_CIPHER_MAX + 1];
	uint32_t key_size = 0;
	struct mortise_secret *volume_key = NULL;
	struct mortise_keyslot_new keyslot;
	struct mortise_kdf_choice kdf;
	struct mortise_reencrypt_new what = {
		.struct_size = sizeof(what),
		.mode = option_set(options, OPTION_DECRYPT) ? MORTISE_DECRYPT : MORTISE_REENCRYPT,
		.cipher = given ? cipher : NULL,
		.sector_size = option_number32(options, OPTION_SECTOR_SIZE),
		.keep_key = option_set(options, OPTION_KEEP_KEY),
		.resilience = option_text(options, OPTION_RESILIENCE),
		.resilience_hash = option_text(options, OPTION_RESILIENCE_HASH),
		.device_size = option_number(options, OPTION_DEVICE_SIZE),
		.keyslots = all->slot,
		.active_name = active,
		.mapped_only = c->as_cryptsetup,
	};
	struct mortise_error err = { 0 };
	enum status status = check_sector_size(c, header, active);

	if (status == STATUS_OK)
		status = keyslot_describe(c, &keyslot, &kdf);
	if (given)
		cipher_whole(given, cipher);
	if (status == STATUS_OK)
		status = choose_key_size(c, header, what.cipher, &key_size);
	what.key_size = key_size;
	if (status == STATUS_OK && has_cost(options))
		what.keyslot = &keyslot;
	if (status == STATUS_OK && option_set(options, OPTION_VOLUME_KEY_FILE))
		status = volume_key_read(option_text(options, OPTION_VOLUME_KEY_FILE),
					 key_size ? key_size : header_volume_key_size(header),
					 &volume_key);
	if (status == STATUS_OK)
		status = read_passphrases(c, paths, header, all);
	what.volume_key = volume_key;
	what.keyslot_count = all->count;
	if (status == STATUS_OK && mortise_reencrypt_begin(header, &what, &err))
		status = fail(c, &err);
	mortise_secret_free(&volume_key);
	return status;
}

/* --- continuing --- */

static bool on_event(void *context, const struct mortise_event *event)
{
	if (event->type == MORTISE_EVENT_PROGRESS)
		return progress_tell_bytes(context, "data", event->text, event->done, event->total);
	return !signals_caught();
}

/* resilience: the change of a reencryption that has begun; NULL: none. */
static enum status proceed(const struct command *c, const struct paths *paths,
			   struct mortise_luks2 *header, const char *active,
			   const struct mortise_secret *passphrase, const char *resilience)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	const bool decrypts =
		!mortise_reencrypt_info(header, &info, NULL) && info.mode == MORTISE_DECRYPT;
	struct byte_progress lines;
	struct progress progress;
	struct mortise_events events = { .call = on_event, .context = &progress };
	const struct mortise_reencrypt_run how = {
		.struct_size = sizeof(how),
		.keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
		.hotzone_size = option_number(&c->options, OPTION_HOTZONE_SIZE),
		.events = &events,
		.active_name = active,
		.rate = option_number(&c->options, OPTION_LIMIT_RATE),
		.resilience = resilience,
		.resilience_hash = option_text(&c->options, OPTION_RESILIENCE_HASH),
		.device_size = option_number(&c->options, OPTION_DEVICE_SIZE),
		.mapped_only = c->as_cryptsetup,
	};
	struct mortise_error err = { 0 };
	enum mortise_code code;

	progress_begin(&progress);
	if (option_set(&c->options, OPTION_PROGRESS_JSON) ||
	    option_set(&c->options, OPTION_PROGRESS_FREQUENCY))
		byte_progress_begin(&lines, c, paths->device, &events);
	code = mortise_reencrypt_continue(header, passphrase, &how, &err);
	progress_clear(&progress);
	if (code == MORTISE_E_CANCELED) {
		print_to(stderr, "Reencryption interrupted.\n");
		return STATUS_USAGE;
	}
	/* Decrypted data needs no mapping. While a file system is mounted, the mapping stays. */
	if (!code && active && decrypts) {
		code = mortise_deactivate(active, MORTISE_CLOSE_DEFERRED, &err);
		if (code == MORTISE_E_INACTIVE)
			return STATUS_OK;
	}
	return code == MORTISE_OK ? STATUS_OK : fail(c, &err);
}

/* With -q or --resume-only nothing is asked. */
static bool may_resume(const struct command *c, const struct paths *paths)
{
	char question[PATH_MAX + 160];

	if (option_set(&c->options, OPTION_BATCH_MODE) ||
	    option_set(&c->options, OPTION_RESUME_ONLY))
		return true;
	snprintf(question, sizeof(question),
		 "Device %s is already in LUKS2 reencryption. Do you wish to resume previously "
		 "initialised operation?",
		 paths->header);
	return terminal_confirm(question, "Operation aborted.\n");
}

/* Does the reencryption in progress fit the options? *resilience receives the change of it. */
static enum status check_options(const struct command *c, const struct mortise_reencrypt_info *info,
				 const char **resilience)
{
	const enum mortise_reencrypt_mode mode = info->mode;

	*resilience = option_text(&c->options, OPTION_RESILIENCE);
	if (option_set(&c->options, OPTION_ENCRYPT) && mode != MORTISE_ENCRYPT)
		return fail_with(STATUS_USAGE, "Device is not in LUKS2 encryption. Conflicting "
					       "option --encrypt.");
	if (option_set(&c->options, OPTION_DECRYPT) && mode != MORTISE_DECRYPT)
		return fail_with(STATUS_USAGE, "Device is not in LUKS2 decryption. Conflicting "
					       "option --decrypt.");
	if (*resilience && strcmp(info->resilience, "datashift") == 0 &&
	    strcmp(*resilience, "datashift") != 0)
		return fail_with(STATUS_USAGE,
				 "Device is in reencryption using datashift resilience. Requested "
				 "--resilience option cannot be applied.");
	if (strncmp(info->resilience, "datashift-", 10) == 0)
		return decrypt_resilience(c, resilience);
	return STATUS_OK;
}

/*
 * As in cryptsetup, which cannot find out whether a file is mapped: with -q it refuses, otherwise it
 * asks.
 */
static enum status check_file(const struct command *c, const struct paths *paths)
{
	char question[2 * PATH_MAX + 300];
	struct stat st;

	if (stat(paths->device, &st) != 0 || !S_ISREG(st.st_mode) ||
	    option_set(&c->options, OPTION_FORCE_OFFLINE_REENCRYPT) ||
	    option_set(&c->options, OPTION_ACTIVE_NAME))
		return STATUS_OK;
	if (option_set(&c->options, OPTION_BATCH_MODE))
		return fail_with(STATUS_USAGE,
				 "Device %s is not a block device. Can not auto-detect if it is "
				 "active or not.\n"
				 "Use --force-offline-reencrypt to bypass the check and run in "
				 "offline mode (dangerous!).",
				 paths->device);
	print("Device %s is not a block device.\n", paths->device);
	snprintf(question, sizeof(question),
		 "Unable to decide if device %s is activated or not.\n"
		 "Are you sure you want to proceed with reencryption in offline mode?\n"
		 "It may lead to data corruption if the device is actually activated.\n"
		 "To run reencryption in online mode, use --active-name parameter instead.\n",
		 paths->device);
	return terminal_confirm(question, "Operation aborted.\n") ? STATUS_OK : STATUS_USAGE;
}

static enum status ask_and_proceed(const struct command *c, const struct paths *paths,
				   struct mortise_luks2 *header, const char *active,
				   const char *resilience)
{
	struct mortise_secret *passphrase = NULL;
	enum status status = STATUS_OK;

	if (!may_resume(c, paths))
		return STATUS_USAGE;
	status = reencrypt_read_passphrase(c, paths, header, MORTISE_ANY, NULL, &passphrase);
	if (status == STATUS_OK)
		status = proceed(c, paths, header, active, passphrase, resilience);
	mortise_secret_free(&passphrase);
	return status;
}

static enum status resume(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, const char *active,
			  const struct mortise_reencrypt_info *info)
{
	const char *resilience;
	enum status status;

	if (info->unprotected)
		return fail_with(STATUS_USAGE, "Unprotected LUKS2 reencryption metadata detected. "
					       "Run repair first.");
	if (option_set(&c->options, OPTION_INIT_ONLY))
		return fail_with(STATUS_USAGE,
				 "LUKS2 reencryption already initialized. Aborting operation.");
	status = check_options(c, info, &resilience);
	if (status == STATUS_OK)
		status = check_file(c, paths);
	return status == STATUS_OK ? ask_and_proceed(c, paths, header, active, resilience) : status;
}

static enum status begin_here(const struct command *c, const struct paths *paths,
			      struct mortise_luks2 *header, const char *active)
{
	struct passphrases all = { 0 };
	enum status status = STATUS_OK;

	if (option_set(&c->options, OPTION_RESUME_ONLY))
		return fail_with(STATUS_USAGE, "Device reencryption not in progress.");
	if (option_set(&c->options, OPTION_ENCRYPT))
		return fail_with(STATUS_USAGE,
				 "Device %s is already LUKS device. Aborting operation.",
				 paths->header);
	if (option_set(&c->options, OPTION_DECRYPT) && !paths->detached)
		return fail_with(STATUS_USAGE, "LUKS2 decryption requires --header option.");
	/* Only the header changes, and larger sectors are not for a file system in use. */
	if (!option_set(&c->options, OPTION_INIT_ONLY) || option_set(&c->options, OPTION_DECRYPT) ||
	    option_set(&c->options, OPTION_SECTOR_SIZE))
		status = check_file(c, paths);
	if (status != STATUS_OK)
		return status;
	status = begin(c, paths, header, active, &all);
	if (status == STATUS_OK && !option_set(&c->options, OPTION_INIT_ONLY))
		status = proceed(c, paths, header, active, all.slot[0].passphrase, NULL);
	passphrases_free(&all);
	return status;
}

enum status reencrypt_find_active(const struct command *c, const struct paths *paths,
				  const struct mortise_luks2 *header, struct reencrypt_start *start)
{
	struct mortise_error err = { 0 };

	start->active = mapping_name(option_text(&c->options, OPTION_ACTIVE_NAME));
	if (start->active || option_set(&c->options, OPTION_FORCE_OFFLINE_REENCRYPT))
		return STATUS_OK;
	if (mortise_reencrypt_active(header, start->found, sizeof(start->found), &err))
		return fail(c, &err);
	start->active = start->found[0] ? start->found : NULL;
	if (start->active && !option_set(&c->options, OPTION_BATCH_MODE))
		print("Auto-detected active dm device '%s' for data device %s.\n", start->active,
		      paths->device);
	return STATUS_OK;
}

/* A header that exists. */
static enum status run_with_header(const struct command *c, const struct paths *paths)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header = NULL;
	struct reencrypt_start start = { .active = NULL };
	struct mortise_error err = { 0 };
	enum status status = header_load_with_device(c, paths, &header);

	if (status != STATUS_OK)
		return status;
	status = reencrypt_find_active(c, paths, header, &start);
	if (status != STATUS_OK)
		goto out;
	switch (mortise_reencrypt_info(header, &info, &err)) {
	case MORTISE_OK:
		status = resume(c, paths, header, start.active, &info);
		break;
	case MORTISE_E_USAGE: /* not in reencryption */
		/* A killed process has re-encrypted all data. Only the mapping is incomplete. */
		status = start.active && !mortise_reencrypt_is_left(header, start.active, NULL)
				 ? ask_and_proceed(c, paths, header, start.active, NULL)
				 : begin_here(c, paths, header, start.active);
		break;
	default:
		status = fail(c, &err);
	}
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
out:
	mortise_luks2_free(&header);
	return status;
}

/* The second argument of --encrypt: the mapping that uses the data from now on. */
static enum status activate(const struct command *c, const struct reencrypt_start *start)
{
	const char *name = command_mapping(c, 1);
	struct mortise_secret *volume_key = NULL;
	struct mortise_error err = { 0 };
	uint32_t dropped = 0;
	enum mortise_code code;

	code = mortise_reencrypt_unlock(start->header, start->passphrase, MORTISE_ANY, &volume_key,
					NULL, &err);
	if (!code)
		code = mortise_activate(start->header, name, volume_key, open_flags(c), &dropped,
					&err);
	mortise_secret_free(&volume_key);
	if (code)
		return fail(c, &err);
	open_say_dropped(c, dropped);
	print("/dev/mapper/%s is now active and ready for online encryption.\n", name);
	return STATUS_OK;
}

/* --encrypt makes a header, and --decrypt moves it to a new file. */
static enum status run_with_new_header(const struct command *c, const struct paths *paths)
{
	struct reencrypt_start start = { .header = NULL };
	enum status status;

	if (option_set(&c->options, OPTION_RESUME_ONLY))
		return fail_with(STATUS_USAGE, "Device reencryption not in progress.");
	if (option_set(&c->options, OPTION_ENCRYPT)) {
		status = encrypt_start(c, paths, &start);
		start.active = command_mapping(c, 1);
	} else {
		status = check_file(c, paths);
		if (status == STATUS_OK)
			status = decrypt_start(c, paths, &start);
	}
	if (status == STATUS_OK && option_set(&c->options, OPTION_ENCRYPT) && command_word(c, 1))
		status = activate(c, &start);
	if (status == STATUS_OK && !option_set(&c->options, OPTION_INIT_ONLY))
		status = proceed(c, paths, start.header, start.active, start.passphrase, NULL);
	mortise_luks2_free(&start.header);
	mortise_secret_free(&start.passphrase);
	return status;
}

/* A damaged header is not taken for plain data: encrypt_start() looks for its signature. */
static bool has_header(const struct paths *paths)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = paths->device,
		.header = paths->detached ? paths->header : NULL,
		.readonly = true,
		.no_locks = true,
		.luks1 = true,
	};
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;
	const bool found = mortise_luks2_load(&location, &header, &ignored) == MORTISE_OK ||
			   ignored.code != MORTISE_E_NOT_LUKS2;

	mortise_luks2_free(&header);
	return found;
}

/* Without a device, it is found by the mapping of --active-name. */
static enum status find_paths(const struct command *c, struct paths *paths)
{
	const char *name = mapping_name(option_text(&c->options, OPTION_ACTIVE_NAME));
	struct mortise_mapping_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	enum mortise_code code;

	if (command_word(c, 0)) {
		paths_find(c, command_word(c, 0), paths);
		return STATUS_OK;
	}
	if (!name || option_set(&c->options, OPTION_ENCRYPT))
		return fail_with(STATUS_USAGE, "Command requires device as argument.");
	code = mortise_mapping_info(name, &info, &err);
	if (code == MORTISE_E_INACTIVE)
		return fail_with(STATUS_USAGE, "Device %s is not active.", name);
	if (!info.device[0] && code)
		return fail(c, &err);
	if (!info.device[0])
		return fail_with(STATUS_USAGE, "mortise: mapping %s is not on a device", name);
	paths_find(c, info.device, paths);
	return STATUS_OK;
}

enum status run_reencrypt(const struct command *c)
{
	const struct options *options = &c->options;
	struct paths paths = { .detached = false };
	bool new_header = false;
	const enum status status = find_paths(c, &paths);

	if (status != STATUS_OK)
		return status;
	if (option_set(options, OPTION_ENCRYPT))
		new_header = access(paths.header, F_OK) != 0 || !has_header(&paths);
	else if (option_set(options, OPTION_DECRYPT) && paths.detached)
		new_header = access(paths.header, F_OK) != 0;
	return new_header ? run_with_new_header(c, &paths) : run_with_header(c, &paths);
}
