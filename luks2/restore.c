/* SPDX-License-Identifier: MIT */
/* Restoring a header from a backup: comparing it with the header of the device. */
#include "luks2/restore.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/seal.h"

#define REFUSED "restore failed."

static bool is_reencrypting(const struct mortise_luks2 *header, bool *unknown)
{
	bool found = false;
	const char *name;

	*unknown = false;
	for (unsigned i = 0; (name = luks2_requirement(header->metadata, i)); i++) {
		if (strstr(name, "-reencrypt"))
			found = true;
		else if (strcmp(name, LUKS2_REQUIREMENT_INLINE))
			*unknown = true;
	}
	return found;
}

/* A backup is restored only if it could be opened afterwards. */
static enum mortise_code check_requirements(const struct luks2_restore *restore,
					    struct mortise_error *err)
{
	const char *name;

	for (unsigned i = 0; (name = luks2_requirement(restore->backup->metadata, i)); i++)
		if (strncmp(name, "online-reencrypt", 16) && strcmp(name, LUKS2_REQUIREMENT_INLINE))
			return error_set(err, MORTISE_E_POLICY, 0,
					 "Forbidden LUKS2 requirements detected in backup %s.",
					 restore->how.file);
	return MORTISE_OK;
}

static enum mortise_code open_backup(struct luks2_restore *restore, bool locking,
				     struct mortise_error *err)
{
	const char *file = restore->how.file;
	struct luks2_device *device = NULL;
	enum mortise_code code = luks2_device_open(file, locking, &device, err);

	if (code == MORTISE_E_DEVICE)
		return error_set(err, MORTISE_E_USAGE, 0, "Cannot open header backup file %s.",
				 file);
	if (code)
		return code;
	if (device->block == restore->device->block && device->number == restore->device->number &&
	    device->inode == restore->device->inode)
		code = error_set(err, MORTISE_E_USAGE, 0, "%s is the device itself, not a backup",
				 file);
	if (!code)
		code = luks2_header_read(device, LUKS2_MEND_NEVER, &restore->backup, err);
	if (code)
		luks2_device_close(device);
	if (code == MORTISE_E_NOT_LUKS2)
		return error_set(err, code, 0,
				 "Header backup file does not contain compatible LUKS header.");
	if (code == MORTISE_E_CORRUPT)
		error_prefix(err, "Backup file does not contain valid LUKS header");
	if (code)
		return code;
	restore->copies = 2 * restore->backup->binary.copy_size;
	restore->end = luks2_keyslots_end(restore->backup->metadata);
	return check_requirements(restore, err);
}

/* The digest of the data has a random salt: it is the same only in headers of one volume. */
static bool has_same_key(const struct mortise_luks2 *a, const struct mortise_luks2 *b)
{
	static const char *const members[] = { "salt", "digest" };
	const struct mortise_luks2 *const header[] = { a, b };
	const char *text[2];

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 2; j++) {
			struct json_object *metadata = header[j]->metadata;
			struct json_object *digests =
				luks2_json_get(metadata, "digests", json_type_object);

			text[j] = luks2_json_text(
				luks2_json_get_id(digests, luks2_digest_of_segment(metadata, 0)),
				members[i]);
		}
		if (!text[0] || !text[1] || strcmp(text[0], text[1]) != 0)
			return false;
	}
	return true;
}

static uint64_t epoch_of(const struct mortise_luks2 *header)
{
	uint64_t epoch = 0;

	(void)luks2_json_decimal(luks2_record(header->metadata), "epoch", &epoch);
	return epoch;
}

/* Does the header say that a TPM remembers its epoch (volume_record_set_tpm)? */
static bool is_remembered(const struct mortise_luks2 *header)
{
	return json_object_object_get_ex(luks2_record(header->metadata), "tpm", NULL);
}

static void compare(struct luks2_restore *restore)
{
	const struct mortise_luks2 *now = restore->now, *backup = restore->backup;
	uint32_t found = 0;
	bool unknown;

	if (luks2_device_unused(restore->device, NULL))
		found |= MORTISE_RESTORE_IN_USE;
	if (luks2_first_data_offset(backup->metadata) < restore->end && !restore->header_only &&
	    !luks2_device_is_blank(restore->device))
		found |= MORTISE_RESTORE_DETACHED;
	if (!now) {
		found |= MORTISE_RESTORE_NO_HEADER;
		found |= is_remembered(backup) ? MORTISE_RESTORE_EPOCH : 0;
		restore->differences = found;
		return;
	}
	if (strcmp(now->binary.uuid, backup->binary.uuid) != 0)
		found |= MORTISE_RESTORE_UUID;
	if (!has_same_key(now, backup))
		found |= MORTISE_RESTORE_KEY;
	if (epoch_of(now) > epoch_of(backup))
		found |= MORTISE_RESTORE_EPOCH;
	if (is_reencrypting(now, &unknown)) {
		found |= MORTISE_RESTORE_REENCRYPT;
	} else {
		if (luks2_first_data_offset(now->metadata) !=
		    luks2_first_data_offset(backup->metadata))
			found |= MORTISE_RESTORE_OFFSET;
		else
			found &= ~(uint32_t)MORTISE_RESTORE_DETACHED;
		if (luks2_keyslots_end(now->metadata) != restore->end)
			found |= MORTISE_RESTORE_SIZE;
	}
	found |= unknown ? MORTISE_RESTORE_REQUIREMENTS : 0;
	restore->differences = found;
}

static enum mortise_code refuse(const struct luks2_restore *restore, struct mortise_error *err)
{
	const uint32_t refused = restore->differences & ~restore->how.allow;

	if (!refused)
		return MORTISE_OK;
	if (refused & MORTISE_RESTORE_OFFSET)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Data offset differ on device and backup, " REFUSED);
	if (refused & MORTISE_RESTORE_SIZE)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Binary header with keyslot areas size differ on device and "
				 "backup, " REFUSED);
	if (refused & MORTISE_RESTORE_DETACHED)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "%s is the backup of a detached header, and %s may hold the data; "
				 "name the header's device with --header",
				 restore->how.file, restore->device->path);
	return error_set(err, MORTISE_E_POLICY, 0, "the backup %s does not match the header of %s",
			 restore->how.file, restore->device->path);
}

static enum mortise_code prepare(struct luks2_restore *restore, struct mortise_error *err)
{
	enum mortise_code code =
		luks2_header_read(restore->device, LUKS2_MEND_NEVER, &restore->now, err);

	if (code == MORTISE_E_MEMORY || code == MORTISE_E_CANCELED)
		return code;
	compare(restore);
	if (restore->how.compare_only)
		return MORTISE_OK;
	code = refuse(restore, err);
	if (code)
		return code;
	code = luks2_device_writable(restore->device, err);
	if (code)
		return code;
	restore->device->grows = luks2_device_is_blank(restore->device);
	code = luks2_device_grow(restore->device, restore->end, err);
	if (!code && restore->device->size < restore->end)
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. (the header needs %" PRIu64 " bytes)",
				 restore->device->path, restore->end);
	return code;
}

enum mortise_code mortise_header_restore(const struct mortise_location *location,
					 const struct mortise_restore *how, uint32_t *differences,
					 struct mortise_error *err)
{
	struct luks2_restore restore = { .now = NULL };
	struct mortise_location where;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (!code)
		code = sized_input(SIZED(mortise_restore), &restore.how, how, err);
	if (!code && (!restore.how.file || (where.readonly && !restore.how.compare_only)))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "cannot restore a header: no backup file "
				 "is named, or the device is read-only");
	if (!code)
		code = luks2_device_open_location(&where, &restore.device, err);
	if (code)
		return code;
	restore.header_only = where.header;
	code = open_backup(&restore, !where.no_locks, err);
	if (code)
		goto out;
	code = luks2_device_lock(restore.device, true, err);
	if (code)
		goto out;
	code = prepare(&restore, err);
	if (differences)
		*differences = restore.differences;
	if (!code && !restore.how.compare_only)
		code = luks2_restore_write(&restore, err);
	luks2_device_unlock(restore.device);
out:
	/* A header that was read owns the device. */
	if (!restore.now)
		luks2_device_close(restore.device);
	mortise_luks2_free(&restore.now);
	mortise_luks2_free(&restore.backup);
	return code;
}
