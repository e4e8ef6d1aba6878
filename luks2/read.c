/* SPDX-License-Identifier: MIT */
/* Reading a header: reading both copies, choosing one, mending the other. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/mending.h"
#include "luks2/metadata.h"
#include "luks2/private.h"
#include "luks2/validate.h"

/* One copy on the device. */
struct copy {
	uint64_t offset;
	uint8_t *bytes; /* binary header and JSON area */
	struct luks2_binary binary;
	struct json_object *metadata; /* NULL unless the whole copy is valid */
	bool checksum_good;
	struct mortise_error why; /* why the copy is invalid */
};

static void clear_copy(struct copy *copy)
{
	json_object_put(copy->metadata);
	free(copy->bytes);
	memset(copy, 0, sizeof(*copy));
}

static enum mortise_code parse_json(const char *text, size_t size, struct json_object **metadata,
				    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct json_object *parsed;
	const char *why;
	size_t end = 0;

	parsed = luks2_json_parse(text, size, &end, &why);
	if (!parsed && why == luks2_json_no_memory)
		return error_memory(err);
	if (!parsed)
		return error_set(err, MORTISE_E_CORRUPT, 0, "JSON area, byte %zu: %s", end, why);
	if (text[0] != '{' || end >= size) {
		code = error_set(err, MORTISE_E_CORRUPT, 0,
				 "the JSON area does not start with '{' and end with a NUL");
		goto out;
	}
	for (size_t i = end; !code && i < size; i++)
		if (text[i])
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "JSON area, byte %zu: not zero after the text", i);
out:
	if (code)
		json_object_put(parsed);
	else
		*metadata = parsed;
	return code;
}

static enum mortise_code parse_metadata(struct copy *copy)
{
	size_t size = (size_t)copy->binary.copy_size - LUKS2_BINARY_SIZE;
	enum mortise_code code = parse_json((char *)copy->bytes + LUKS2_BINARY_SIZE, size,
					    &copy->metadata, &copy->why);

	if (code)
		return code;
	code = luks2_validate(copy->metadata, size, &copy->why);
	/* cryptsetup repairs such headers when it reads them, too. */
	if (code == MORTISE_E_CORRUPT) {
		luks2_drop_superfluous_kdf_members(copy->metadata);
		code = luks2_validate(copy->metadata, size, &copy->why);
	}
	if (code) {
		json_object_put(copy->metadata);
		copy->metadata = NULL;
	}
	return code;
}

static enum mortise_code read_copy(const struct luks2_device *device, uint64_t offset,
				   struct copy *copy)
{
	uint8_t *bytes;
	enum mortise_code code;

	copy->offset = offset;
	copy->bytes = calloc(1, LUKS2_COPY_SIZE_MIN);
	if (!copy->bytes)
		return error_memory(&copy->why);
	code = luks2_device_read(device, copy->bytes, LUKS2_COPY_SIZE_MIN, offset, &copy->why);
	/* Too short to hold a header. */
	if (code == MORTISE_E_CORRUPT)
		return error_set_at(&copy->why, MORTISE_E_NOT_LUKS2, 0, offset, "no LUKS2 magic");
	if (code)
		return code;
	code = luks2_binary_decode(copy->bytes, offset, &copy->binary, &copy->why);
	if (code)
		return code;
	bytes = realloc(copy->bytes, (size_t)copy->binary.copy_size);
	if (!bytes)
		return error_memory(&copy->why);
	copy->bytes = bytes;
	code = luks2_device_read(device, bytes + LUKS2_COPY_SIZE_MIN,
				 (size_t)copy->binary.copy_size - LUKS2_COPY_SIZE_MIN,
				 offset + LUKS2_COPY_SIZE_MIN, &copy->why);
	if (code)
		return code;
	code = luks2_checksum_check(&copy->binary, bytes, &copy->why);
	if (code)
		return code;
	copy->checksum_good = true;
	return parse_metadata(copy);
}

/* Without a valid primary copy the secondary can be at any of nine offsets. */
static void search_secondary(const struct luks2_device *device, struct copy *secondary)
{
	for (uint64_t offset = LUKS2_COPY_SIZE_MIN; offset <= LUKS2_COPY_SIZE_MAX; offset *= 2) {
		clear_copy(secondary);
		if (!read_copy(device, offset, secondary) || secondary->checksum_good)
			return;
	}
}

/* Rewrites a copy with the sequence number and JSON text of the good one, and a new salt. */
static enum mortise_code rewrite_copy(const struct luks2_device *device, const struct copy *good,
				      struct copy *bad, struct mortise_error *err)
{
	enum mortise_code code;

	bad->binary = good->binary;
	code = random_bytes(bad->binary.salt, sizeof(bad->binary.salt), err);
	if (code)
		return code;
	return luks2_copy_write(device, &bad->binary, bad->offset,
				(const char *)good->bytes + LUKS2_BINARY_SIZE, err);
}

/*
 * A LUKS1 header is never replaced by the secondary copy, which a conversion to LUKS1 that was cut
 * may have left behind.
 */
static bool is_luks1(const struct copy *primary)
{
	return primary->bytes && luks2_binary_is_luks1(primary->bytes);
}

/* A copy that could not be read for lack of memory is not damaged: it must not be mended. */
static enum mortise_code check_memory(const struct copy *copy, struct mortise_error *err)
{
	return copy->metadata || copy->why.code != MORTISE_E_MEMORY ? MORTISE_OK
								    : error_memory(err);
}

/* The error when neither copy is valid. */
static enum mortise_code report_invalid(const struct luks2_device *device,
					const struct copy *primary, const struct copy *secondary,
					struct mortise_error *err)
{
	if (primary->why.code == MORTISE_E_SYSTEM) {
		if (err)
			*err = primary->why;
		return primary->why.code;
	}
	if (primary->why.code == MORTISE_E_NOT_LUKS2 && !secondary->checksum_good)
		return error_set(err, MORTISE_E_NOT_LUKS2, 0,
				 "Device %s is not a valid LUKS%s device.", device->path,
				 is_luks1(primary) ? "2" : "");
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "Device %s is not a valid LUKS device. (primary header: %.150s; "
			 "secondary: %.150s)",
			 device->path, primary->why.text, secondary->why.text);
}

static enum mortise_code mend_if_allowed(struct luks2_device *device, enum luks2_mend policy,
					 const struct copy *good, struct copy *bad,
					 bool *unmendable, struct mortise_error *err)
{
	struct mortise_error ignored;
	enum luks2_mending allowed;

	if (policy == LUKS2_MEND_NEVER)
		return MORTISE_OK;
	bad->offset = good->offset ? 0 : good->binary.copy_size;
	allowed = policy == LUKS2_MEND_ALWAYS
			  ? LUKS2_MENDING_SAFE
			  : luks2_mending_allowed(device, &good->binary, bad->offset);
	*unmendable = allowed == LUKS2_MENDING_UNKNOWN;
	if (*unmendable)
		return MORTISE_OK;
	if (allowed == LUKS2_MENDING_FOREIGN)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "Device contains ambiguous signatures, cannot auto-recover LUKS2. "
				 "Please run \"cryptsetup repair\" for recovery.");
	if (policy == LUKS2_MEND_REFUSE)
		return MORTISE_OK;
	/* On a read-only device the good copy is enough. */
	if (!luks2_device_writable(device, &ignored) && rewrite_copy(device, good, bad, &ignored))
		return error_set(err, MORTISE_E_SYSTEM, ignored.sys_errno,
				 "cannot rewrite the damaged header copy of %s", device->path);
	return MORTISE_OK;
}

/* Makes the header from the good copy. unmended: the other copy is still bad on disk. */
static enum mortise_code make_header(struct luks2_device *device, struct copy *good,
				     const struct copy *other, bool unmended,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	struct mortise_luks2 *header = calloc(1, sizeof(*header));
	const struct copy *secondary = good->offset ? good : other;

	if (header)
		header->data_path = strdup(device->path);
	if (!header || !header->data_path) {
		free(header);
		return error_memory(err);
	}
	header->device = device;
	header->primary_bad = good->offset && unmended;
	header->secondary_bad = !good->offset && unmended;
	header->binary = good->binary;
	memcpy(header->second_salt, secondary->binary.salt, sizeof(header->second_salt));
	if (good->offset)
		memcpy(header->binary.salt, other->binary.salt, sizeof(header->binary.salt));
	header->metadata = good->metadata;
	good->metadata = NULL;
	*out = header;
	return MORTISE_OK;
}

static void read_copies(const struct luks2_device *device, struct copy *primary,
			struct copy *secondary)
{
	(void)read_copy(device, 0, primary);
	if (primary->checksum_good)
		(void)read_copy(device, primary->binary.copy_size, secondary);
	else if (!is_luks1(primary))
		search_secondary(device, secondary);
}

/* *retry: the other copy needs mending, which needs the exclusive lock. */
static enum mortise_code read_locked(struct luks2_device *device, bool exclusive,
				     enum luks2_mend policy, bool *retry,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	struct copy primary = { 0 }, secondary = { 0 };
	struct copy *good = &primary, *other = &secondary;
	bool stale, unmended, unmendable = false;
	enum mortise_code code;

	*retry = false;
	code = luks2_device_lock(device, exclusive, err);
	if (code)
		return code;
	read_copies(device, &primary, &secondary);
	code = check_memory(&primary, err);
	if (!code)
		code = check_memory(&secondary, err);
	if (code)
		goto out;
	if (!primary.metadata && !secondary.metadata) {
		code = report_invalid(device, &primary, &secondary, err);
		goto out;
	}
	if (!primary.metadata ||
	    (secondary.metadata && secondary.binary.seqid > primary.binary.seqid)) {
		good = &secondary;
		other = &primary;
	}
	if (device->size < luks2_keyslots_end(good->metadata)) {
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. (the header needs %" PRIu64
				 " bytes, the device has %" PRIu64 ")",
				 device->path, luks2_keyslots_end(good->metadata), device->size);
		goto out;
	}
	stale = !other->metadata || other->binary.seqid != good->binary.seqid;
	if (stale && policy > LUKS2_MEND_REFUSE && !exclusive) {
		*retry = true;
		goto out;
	}
	if (stale) {
		code = mend_if_allowed(device, policy, good, other, &unmendable, err);
		if (code)
			goto out;
	}
	unmended = stale && (policy <= LUKS2_MEND_REFUSE || unmendable || !device->writable);
	code = make_header(device, good, other, unmended, out, err);
	if (!code)
		(*out)->unmendable = unmendable;
out:
	luks2_device_unlock(device);
	clear_copy(&primary);
	clear_copy(&secondary);
	return code;
}

static void describe_copy(struct copy *copy, struct luks2_copy *out)
{
	const size_t size = (size_t)copy->binary.copy_size - LUKS2_BINARY_SIZE;

	*out = (struct luks2_copy){
		.offset = copy->offset,
		.valid = copy->metadata,
		.binary = copy->binary,
		.metadata = copy->metadata,
		.why = copy->why,
	};
	copy->metadata = NULL;
	if (!out->valid && copy->checksum_good)
		(void)parse_json((char *)copy->bytes + LUKS2_BINARY_SIZE, size, &out->metadata,
				 NULL);
}

enum mortise_code luks2_copies_read(struct luks2_device *device, struct luks2_copy out[2],
				    struct mortise_error *err)
{
	struct copy primary = { 0 }, secondary = { 0 };
	enum mortise_code code = luks2_device_lock(device, false, err);

	if (code)
		return code;
	read_copies(device, &primary, &secondary);
	luks2_device_unlock(device);
	describe_copy(&primary, &out[0]);
	describe_copy(&secondary, &out[1]);
	clear_copy(&primary);
	clear_copy(&secondary);
	return MORTISE_OK;
}

enum mortise_code luks2_header_read(struct luks2_device *device, enum luks2_mend policy,
				    struct mortise_luks2 **out, struct mortise_error *err)
{
	enum mortise_code code;
	bool retry;

	/* Without locks another process could be writing at the same time. */
	if (!device->locking && policy > LUKS2_MEND_REFUSE)
		policy = LUKS2_MEND_NEVER;
	code = read_locked(device, false, policy, &retry, out, err);
	if (!code && retry)
		code = read_locked(device, true, policy, &retry, out, err);
	return code;
}

enum mortise_code luks2_header_read_again(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct mortise_luks2 *now = NULL;
	enum mortise_code code;

	code = luks2_header_read(header->device, LUKS2_MEND_UNLESS_FOREIGN, &now, err);
	if (code)
		return code;
	json_object_put(header->metadata);
	header->metadata = now->metadata;
	header->binary = now->binary;
	memcpy(header->second_salt, now->second_salt, sizeof(header->second_salt));
	header->primary_bad = now->primary_bad;
	header->secondary_bad = now->secondary_bad;
	header->unmendable = now->unmendable;
	now->metadata = NULL;
	now->device = NULL;
	mortise_luks2_free(&now);
	return MORTISE_OK;
}
