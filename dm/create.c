/* SPDX-License-Identifier: MIT */
/* Creating a dm-crypt mapping: create, load, resume, node. A failure undoes all of it. */
#include "dm/control.h"
#include "dm/crypt_table.h"
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MODULES_ROOM 256u

/* Options that may be omitted, and the minor version of dm-crypt that introduced them. */
static const struct {
	uint32_t flags;
	uint32_t minor;
} optional[] = {
	{ DM_CRYPT_ALLOW_DISCARDS, 11 },
	{ DM_CRYPT_SAME_CPU_CRYPT | DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS, 14 },
	{ DM_CRYPT_NO_READ_WORKQUEUE | DM_CRYPT_NO_WRITE_WORKQUEUE, 22 },
};

struct creation {
	struct dm_control *control;
	const char *name;
	char encoded[DM_NAME_LEN];
	struct dm_mapping_options options;
	struct dm_crypt_target target; /* without the flags that the kernel lacks */
	struct dm_block block;
	uint32_t version[3]; /* of dm-crypt */
	bool version_known;
	dev_t device; /* of the mapping */
};

static bool crypt_before(const struct creation *creation, uint32_t minor, uint32_t patch)
{
	return creation->version_known && dm_version_before(creation->version, 1, minor, patch);
}

/* Checks for the options that cannot be omitted. */
static enum mortise_code check_version(const struct creation *creation, struct mortise_error *err)
{
	const struct dm_crypt_target *target = &creation->target;
	const char *what;

	if (!crypt_before(creation, 17, 0))
		return MORTISE_OK;
	if (target->sector_size != DM_SECTOR)
		what = "sector_size option";
	else if (target->flags & DM_CRYPT_IV_LARGE_SECTORS)
		what = "iv_large_sectors option";
	else if (!strncmp(target->cipher, "capi:", 5))
		what = "capi: notation of the cipher";
	else
		return MORTISE_OK;
	return error_set(err, MORTISE_E_KERNEL, 0,
			 "Requested %s is not supported. The kernel has dm-crypt %u.%u.%u, "
			 "1.17.0 (Linux 4.12) is needed.",
			 what, creation->version[0], creation->version[1], creation->version[2]);
}

static enum mortise_code check_size(const struct creation *creation, struct mortise_error *err)
{
	const struct dm_crypt_target *target = &creation->target;
	const struct dm_block *block = &creation->block;

	if (target->device_offset >= block->size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Requested offset is beyond real size of device %s. It has "
				 "%" PRIu64 " bytes, the data starts at %" PRIu64 ".",
				 target->device, block->size, target->device_offset);
	if (target->size > block->size - target->device_offset)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. It has %" PRIu64 " bytes, %" PRIu64
				 " bytes at offset %" PRIu64 " are needed.",
				 target->device, block->size, target->size, target->device_offset);
	/* device_area_is_invalid in drivers/md/dm-table.c */
	if (target->device_offset % block->logical || target->size % block->logical)
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "Device %s has logical blocks of %" PRIu32 " bytes. The data's "
				 "offset %" PRIu64 " and size %" PRIu64 " must be multiples of "
				 "that; format with that sector size.",
				 target->device, block->logical, target->device_offset,
				 target->size);
	return MORTISE_OK;
}

static enum mortise_code exists_error(const struct creation *creation, const char *uuid,
				      struct mortise_error *err)
{
	const struct dm_call call = { .request = DM_DEV_STATUS, .uuid = uuid };
	char other[DM_NAME_LEN] = "";
	struct dm_reply reply;
	struct dm_info info;

	if (dm_info(creation->control, creation->name, &info, NULL) && *uuid) {
		if (!dm_run(creation->control, &call, &reply))
			dm_name_decode(reply.header.name, other);
		dm_reply_clear(&reply);
	}
	if (*other)
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "Device %s is already active as %s; close that mapping first.",
				 creation->target.device, other);
	return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.", creation->name);
}

static enum mortise_code create_device(struct creation *creation, struct mortise_error *err)
{
	char uuid[DM_UUID_LEN] = "";
	const struct dm_call call = { .request = DM_DEV_CREATE,
				      .name = creation->encoded,
				      .uuid = uuid };
	struct dm_reply reply;
	int sys;

	if (creation->options.uuid)
		dm_uuid_encode(creation->options.uuid, uuid);
	sys = dm_run(creation->control, &call, &reply);
	creation->device = dm_decode_device(reply.header.dev);
	dm_reply_clear(&reply);
	if (sys == EBUSY)
		return exists_error(creation, uuid, err);
	return sys ? dm_call_error(err, sys, "create mapping", creation->name) : MORTISE_OK;
}

/* The payload of DM_TABLE_LOAD: one struct dm_target_spec and its parameters. */
static enum mortise_code build_payload(const struct creation *creation, bool keyring,
				       struct mortise_secret **payload, struct mortise_error *err)
{
	struct dm_target_spec spec = { .length = creation->target.size / DM_SECTOR };
	struct mortise_secret *params = NULL;
	enum mortise_code code;
	size_t size;

	code = dm_crypt_params_build(&creation->target, creation->block.number, keyring, &params,
				     err);
	if (code)
		goto out;
	size = (sizeof(spec) + mortise_secret_size(params) + 7) / 8 * 8;
	code = mortise_secret_new(size, payload, err);
	if (code)
		goto out;
	spec.next = (uint32_t)size;
	memcpy(spec.target_type, "crypt", sizeof("crypt"));
	memcpy(mortise_secret_writable(*payload), &spec, sizeof(spec));
	memcpy(mortise_secret_writable(*payload) + sizeof(spec), mortise_secret_data(params),
	       mortise_secret_size(params));
out:
	mortise_secret_free(&params);
	return code;
}

/* Tries one form of the table. *sys: the kernel's errno, 0: loaded. */
static enum mortise_code load_once(struct creation *creation, bool keyring, int *sys,
				   struct mortise_error *err)
{
	struct dm_call call = {
		.request = DM_TABLE_LOAD,
		.name = creation->encoded,
		.flags = DM_SECURE_DATA_FLAG | (creation->options.readonly ? DM_READONLY_FLAG : 0),
		.target_count = 1,
	};
	const struct dm_host *host = &creation->control->host;
	struct mortise_secret *payload = NULL;
	struct dm_reply reply;
	enum mortise_code code;
	int32_t serial = 0;

	*sys = 0;
	if (keyring) {
		*sys = host->key_add(host->context, creation->target.key_description,
				     creation->target.key, &serial);
		if (*sys)
			return MORTISE_OK;
	}
	code = build_payload(creation, keyring, &payload, err);
	if (code)
		goto out;
	call.payload = payload;
	*sys = dm_run(creation->control, &call, &reply);
	dm_reply_clear(&reply);
out:
	mortise_secret_free(&payload);
	/* dm-crypt has its own copy. */
	if (keyring)
		host->key_remove(host->context, serial);
	return code;
}

/* Omits the options that the running dm-crypt is too old for. False: there are none. */
static bool drop_newer(struct creation *creation)
{
	uint32_t before = creation->target.flags;
	size_t i;

	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (crypt_before(creation, optional[i].minor, 0))
			creation->target.flags &= ~optional[i].flags;
	return creation->target.flags != before;
}

/* "aes-xts-plain64" -> " crypto-aes crypto-xts", the module aliases of the algorithms. */
static void list_cipher_modules(const char *cipher, char text[static MODULES_ROOM])
{
	unsigned dashes = 0;
	size_t used = 0;
	const char *from;

	*text = '\0';
	if (!strncmp(cipher, "capi:", 5))
		return;
	/* The IV after the second dash is a part of dm-crypt. */
	for (from = cipher; dashes < 2 && used < MODULES_ROOM; from++) {
		size_t size = strcspn(from, "-,");

		used += (size_t)snprintf(text + used, MODULES_ROOM - used, " crypto-%.*s",
					 (int)size, from);
		from += size;
		if (!*from)
			break;
		dashes += *from == '-';
	}
}

static enum mortise_code load_error(const struct creation *creation, int sys,
				    struct mortise_error *err)
{
	const struct dm_crypt_target *target = &creation->target;
	char modules[MODULES_ROOM];
	enum mortise_code code;

	switch (sys) {
	case EBUSY:
		code = error_set(err, MORTISE_E_BUSY, 0,
				 "Cannot use device %s which is in use (already mapped or "
				 "mounted).",
				 target->device);
		break;
	case ENOENT:
	case ELIBBAD:
		list_cipher_modules(target->cipher, modules);
		code = error_set(err, MORTISE_E_KERNEL, 0,
				 "The kernel does not know cipher %s. Load its modules "
				 "(modprobe -a%s), or use a kernel that has them.",
				 target->cipher, modules);
		break;
	case ENXIO:
	case ENODEV:
		code = error_set(err, MORTISE_E_DEVICE, sys, "Device %s has disappeared",
				 target->device);
		break;
	case EACCES:
	case EPERM:
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "Cannot use device %s, permission denied. Run as root; if the "
				 "device is write-protected, open it read-only.",
				 target->device);
		break;
	case EINVAL:
		code = error_set(err, MORTISE_E_KERNEL, 0,
				 "The kernel refused the mapping of %s (cipher %s, key of %zu "
				 "bits, sectors of %" PRIu32 " bytes); see the kernel log (dmesg)",
				 target->device, target->cipher,
				 target->key ? mortise_secret_size(target->key) * 8 : 0,
				 target->sector_size);
		break;
	default:
		return dm_call_error(err, sys, "load the table of", creation->name);
	}
	return dm_set_errno(err, sys, code);
}

/* True for errors that loading with the key in the table may avoid. */
static bool may_be_keyring_error(int sys)
{
	switch (sys) {
	case EINVAL: /* dm-crypt built without CONFIG_KEYS */
	case EACCES:
	case EPERM:
	case ENOSYS:
	case EOPNOTSUPP:
	case EDQUOT:
	case ENOKEY:
	case EKEYEXPIRED:
	case EKEYREVOKED:
	case EKEYREJECTED:
		return true;
	default:
		return false;
	}
}

/*
 * Tries the table first as requested, because distributions backport options without changing the
 * version number; then without options that are too new; then with the key in the table.
 */
static enum mortise_code load_table(struct creation *creation, struct mortise_error *err)
{
	const struct dm_crypt_target *target = &creation->target;
	bool keyring = target->key_description && !dm_crypt_cipher_null(target->cipher) &&
		       !crypt_before(creation, 18, 1);
	enum mortise_code code;
	int sys;

	for (;;) {
		code = load_once(creation, keyring, &sys, err);
		if (code || !sys)
			return code;
		if (sys == EINVAL && !creation->version_known) {
			/* The failed load has loaded the module, so that its version is known. */
			code = dm_target_query(creation->control, "crypt", creation->version,
					       &creation->version_known, err);
			if (!code)
				code = check_version(creation, err);
			if (code)
				return code;
		}
		if (sys == EINVAL && drop_newer(creation))
			continue;
		if (!keyring || !may_be_keyring_error(sys))
			return load_error(creation, sys, err);
		keyring = false;
	}
}

int dm_resume(struct dm_control *control, const char *encoded, bool hidden)
{
	uint32_t udev = DM_UDEV_PRIMARY_SOURCE | DM_UDEV_NO_LIBRARY_FALLBACK;
	struct dm_call call = { .request = DM_DEV_SUSPEND, .name = encoded };
	struct dm_reply reply;
	int sys;

	if (hidden)
		udev |= DM_UDEV_NO_SUBSYSTEM_RULES | DM_UDEV_NO_DISK_RULES | DM_UDEV_NO_OTHER_RULES;
	/* No cookie in the lower half: nothing waits for the udev rules to finish. */
	call.event_nr = udev << DM_UDEV_SHIFT;
	sys = dm_run(control, &call, &reply);
	dm_reply_clear(&reply);
	return sys;
}

static enum mortise_code resume_mapping(struct creation *creation, struct mortise_error *err)
{
	int sys = dm_resume(creation->control, creation->encoded, creation->options.hidden);

	return sys ? dm_call_error(err, sys, "resume mapping", creation->name) : MORTISE_OK;
}

/* Checks everything before the first change. */
static enum mortise_code check_creation(struct creation *creation, struct mortise_error *err)
{
	struct dm_control *control = creation->control;
	enum mortise_code code;
	struct dm_info info;

	code = dm_name_encode(creation->name, creation->encoded, err);
	if (code)
		return code;
	code = dm_crypt_target_check(&creation->target, err);
	if (code)
		return code;
	/* Before the device below: if the mapping is already active, the device is busy. */
	code = dm_info(control, creation->name, &info, err);
	if (!code)
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
				 creation->name);
	if (code != MORTISE_E_INACTIVE)
		return code;
	code = dm_target_query(control, "crypt", creation->version, &creation->version_known, err);
	if (code)
		return code;
	code = check_version(creation, err);
	if (code)
		return code;
	/* Another mapping may hold the device of a temporary one. */
	code = control->host.block_inspect(control->host.context, creation->target.device,
					   !creation->options.hidden, &creation->block, err);
	if (code)
		return code;
	if (creation->block.readonly)
		creation->options.readonly = true;
	return check_size(creation, err);
}

static void undo_creation(struct creation *creation)
{
	if (dm_remove_encoded(creation->control, creation->encoded, 0, NULL) == EBUSY)
		(void)dm_remove_encoded(creation->control, creation->encoded, DM_DEFERRED_REMOVE,
					NULL);
	if (creation->control->nodes)
		dm_node_remove(creation->encoded, creation->device);
}

enum mortise_code dm_crypt_create(struct dm_control *control, const char *name,
				  const struct dm_mapping_options *options,
				  const struct dm_crypt_target *target, uint32_t *dropped,
				  struct mortise_error *err)
{
	struct creation creation = {
		.control = control,
		.name = name,
		.options = *options,
		.target = *target,
	};
	enum mortise_code code;

	if (dropped)
		*dropped = 0;
	code = check_creation(&creation, err);
	if (code)
		return code;
	code = create_device(&creation, err);
	if (code)
		return code;
	code = load_table(&creation, err);
	if (code)
		goto out;
	code = resume_mapping(&creation, err);
	if (code)
		goto out;
	if (control->nodes) {
		dm_sysfs_read_ahead(creation.device, creation.block.read_ahead);
		code = dm_node_create(creation.encoded, creation.device, err);
		if (code)
			goto out;
	}
	if (dropped)
		*dropped = target->flags & ~creation.target.flags;
out:
	if (code)
		undo_creation(&creation);
	return code;
}
