/* SPDX-License-Identifier: MIT */
/* Loading the table of a dm-crypt mapping, as far as the running kernel supports it. */
#include "dm/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "dm/crypt_table.h"

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

static bool crypt_before(const struct dm_load *load, uint32_t minor, uint32_t patch)
{
	return load->version_known && dm_version_before(load->version, 1, minor, patch);
}

/* Checks for the options that cannot be omitted. */
static enum mortise_code check_version(const struct dm_load *load,
				       const struct dm_crypt_target *target,
				       struct mortise_error *err)
{
	const char *what;

	if (target->integrity_key_size && crypt_before(load, 28, 0))
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "Requested integrity_key_size option is not supported. The kernel "
				 "has dm-crypt %u.%u.%u, 1.28.0 (Linux 6.13) is needed.",
				 load->version[0], load->version[1], load->version[2]);
	if (!target->cipher || !crypt_before(load, 17, 0))
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
			 what, load->version[0], load->version[1], load->version[2]);
}

static enum mortise_code check_size(const struct dm_crypt_target *target,
				    const struct dm_block *block, struct mortise_error *err)
{
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

/* What the errors of a table name: the first dm-crypt target. */
static const struct dm_crypt_target *first_crypt(const struct dm_load *load)
{
	const struct dm_crypt_target *target = load->target;

	while (target && !target->cipher)
		target = target->next;
	return target;
}

enum mortise_code dm_load_check(struct dm_load *load, bool exclusive, struct mortise_error *err)
{
	const struct dm_host *host = &load->control->host;
	enum mortise_code code = MORTISE_OK;
	struct dm_block *block = load->block;

	if (first_crypt(load))
		code = dm_target_query(load->control, "crypt", load->version, &load->version_known,
				       err);
	for (const struct dm_crypt_target *part = load->target; !code && part; part = part->next) {
		code = check_version(load, part, err);
		if (!code)
			code = host->block_inspect(host->context, part->device, exclusive, block,
						   err);
		if (!code)
			code = check_size(part, block, err);
		load->readonly |= block++->readonly;
	}
	return code;
}

/* The parameters of a target, with their NUL. */
static enum mortise_code build_params(const struct dm_load *load,
				      const struct dm_crypt_target *target, dev_t device,
				      bool keyring, struct mortise_secret **params,
				      struct mortise_error *err)
{
	struct dm_crypt_target supported = *target;
	char text[64];
	int size;

	supported.flags &= ~load->omitted;
	if (target->cipher)
		return dm_crypt_params_build(&supported, device,
					     keyring && target->key_description &&
						     !dm_crypt_cipher_null(target->cipher),
					     params, err);
	size = snprintf(text, sizeof(text), "%u:%u %" PRIu64, major(device), minor(device),
			target->device_offset / DM_SECTOR);
	return mortise_secret_from((const uint8_t *)text, (size_t)size + 1, params, err);
}

/* Appends a struct dm_target_spec and its parameters. start: bytes of the mapping. */
static enum mortise_code append_target(const struct dm_crypt_target *target, uint64_t start,
				       const struct mortise_secret *params,
				       struct mortise_secret **payload, struct mortise_error *err)
{
	struct dm_target_spec spec = { .sector_start = start / DM_SECTOR,
				       .length = target->size / DM_SECTOR };
	const size_t used = *payload ? mortise_secret_size(*payload) : 0;
	const size_t size = (sizeof(spec) + mortise_secret_size(params) + 7) / 8 * 8;
	struct mortise_secret *longer;
	enum mortise_code code = mortise_secret_new(used + size, &longer, err);
	uint8_t *out;

	if (code)
		return code;
	out = mortise_secret_writable(longer);
	if (used)
		memcpy(out, mortise_secret_data(*payload), used);
	spec.next = (uint32_t)size;
	snprintf(spec.target_type, sizeof(spec.target_type), "%s",
		 target->cipher ? "crypt" : "linear");
	memcpy(out + used, &spec, sizeof(spec));
	memcpy(out + used + sizeof(spec), mortise_secret_data(params), mortise_secret_size(params));
	mortise_secret_free(payload);
	*payload = longer;
	return MORTISE_OK;
}

/* The payload of DM_TABLE_LOAD. */
static enum mortise_code build_payload(const struct dm_load *load, bool keyring,
				       struct dm_call *call, struct mortise_secret **payload,
				       struct mortise_error *err)
{
	const struct dm_block *block = load->block;
	enum mortise_code code = MORTISE_OK;
	uint64_t start = 0;

	for (const struct dm_crypt_target *part = load->target; !code && part; part = part->next) {
		struct mortise_secret *params = NULL;

		code = build_params(load, part, block++->number, keyring, &params, err);
		if (!code)
			code = append_target(part, start, params, payload, err);
		mortise_secret_free(&params);
		start += part->size;
		call->target_count++;
	}
	call->payload = *payload;
	return code;
}

/* Adds the keys of the targets to the keyring. Returns 0 or an errno value. */
static int add_keys(const struct dm_load *load, int32_t serials[static DM_TARGETS_MAX],
		    unsigned *count)
{
	const struct dm_host *host = &load->control->host;
	int sys = 0;

	for (const struct dm_crypt_target *part = load->target; !sys && part; part = part->next) {
		if (!part->cipher || !part->key_description || dm_crypt_cipher_null(part->cipher))
			continue;
		sys = host->key_add(host->context, part->key_description, part->key,
				    &serials[*count]);
		*count += !sys;
	}
	return sys;
}

/* Tries one form of the table. *sys: the kernel's errno, 0: loaded. */
static enum mortise_code load_once(struct dm_load *load, bool keyring, int *sys,
				   struct mortise_error *err)
{
	struct dm_call call = {
		.request = DM_TABLE_LOAD,
		.name = load->encoded,
		.flags = DM_SECURE_DATA_FLAG | (load->readonly ? DM_READONLY_FLAG : 0),
	};
	const struct dm_host *host = &load->control->host;
	struct mortise_secret *payload = NULL;
	int32_t serials[DM_TARGETS_MAX];
	enum mortise_code code = MORTISE_OK;
	struct dm_reply reply;
	unsigned keys = 0;

	*sys = keyring ? add_keys(load, serials, &keys) : 0;
	if (*sys)
		goto out;
	code = build_payload(load, keyring, &call, &payload, err);
	if (code)
		goto out;
	*sys = dm_run(load->control, &call, &reply);
	dm_reply_clear(&reply);
out:
	mortise_secret_free(&payload);
	/* dm-crypt has its own copies. */
	while (keys)
		host->key_remove(host->context, serials[--keys]);
	return code;
}

/* Omits the options that the running dm-crypt is too old for. False: there are none. */
static bool drop_newer(struct dm_load *load)
{
	const struct dm_crypt_target *target = first_crypt(load);
	const uint32_t before = load->omitted;

	for (size_t i = 0; target && i < sizeof(optional) / sizeof(optional[0]); i++)
		if (crypt_before(load, optional[i].minor, 0))
			load->omitted |= optional[i].flags & target->flags;
	return load->omitted != before;
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

static enum mortise_code load_error(const struct dm_load *load, int sys, struct mortise_error *err)
{
	const struct dm_crypt_target *target = first_crypt(load);
	char modules[MODULES_ROOM];
	enum mortise_code code;

	if (!target && sys != EBUSY && sys != ENXIO && sys != ENODEV)
		return dm_call_error(err, sys, "load the table of", load->name);
	if (!target)
		target = load->target;
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
		return dm_call_error(err, sys, "load the table of", load->name);
	}
	return dm_set_errno(err, sys, code);
}

bool dm_may_be_keyring_error(int sys)
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

enum mortise_code dm_load_table(struct dm_load *load, struct mortise_error *err)
{
	const struct dm_crypt_target *target = first_crypt(load);
	bool keyring = target && target->key_description && !dm_crypt_cipher_null(target->cipher) &&
		       !crypt_before(load, 18, 1);
	enum mortise_code code;
	int sys;

	for (;;) {
		code = load_once(load, keyring, &sys, err);
		if (code || !sys)
			return code;
		if (sys == EINVAL && target && !load->version_known) {
			/* The failed load has loaded the module, so that its version is known. */
			code = dm_target_query(load->control, "crypt", load->version,
					       &load->version_known, err);
			if (!code)
				code = check_version(load, target, err);
			if (code)
				return code;
		}
		if (sys == EINVAL && drop_newer(load))
			continue;
		if (!keyring || !dm_may_be_keyring_error(sys))
			return load_error(load, sys, err);
		keyring = false;
	}
}
