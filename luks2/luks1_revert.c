/* SPDX-License-Identifier: MIT */
/*
 * Conversion of LUKS2 to LUKS1. Areas stay where they are. The second sector of the LUKS1 header is
 * written first: it invalidates the first LUKS2 copy, and every reader uses the second one. The
 * first sector then makes the device LUKS1, in one write that a power cut does not tear, and the
 * rest of the LUKS2 header is wiped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "keys/af.h"
#include "luks2/area.h"
#include "luks2/luks1.h"
#include "luks2/policy.h"
#include "luks2/private.h"

#define WHOLE_SECTORS (2u * LUKS1_SECTOR) /* bytes: those of the LUKS1 header */

__attribute__((format(printf, 2, 3))) static enum mortise_code refuse(struct mortise_error *err,
								      const char *format, ...)
{
	va_list arguments;
	char why[128];

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return error_set(err, MORTISE_E_UNSUPPORTED, 0, "Cannot convert to LUKS1 format - %s", why);
}

/* "aes-xts-plain64" -> "aes" and "xts-plain64". */
static bool split_cipher(const char *cipher, struct luks1_binary *binary)
{
	const size_t length = strcspn(cipher, "-");
	const char *mode = cipher[length] ? cipher + length + 1 : "";

	if (length >= sizeof(binary->cipher) || strlen(mode) >= sizeof(binary->mode))
		return false;
	memcpy(binary->cipher, cipher, length);
	memcpy(binary->mode, mode, strlen(mode));
	return true;
}

static enum mortise_code take_digest(struct json_object *metadata, struct luks1_binary *binary,
				     struct mortise_error *err)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	struct json_object *digest = luks2_json_get_id(digests, 0);
	const char *type = luks2_json_text(digest, "type"), *hash = luks2_json_text(digest, "hash");
	size_t salt_size = sizeof(binary->digest_salt), size = MORTISE_SALT_MAX;
	uint8_t bytes[MORTISE_SALT_MAX];
	uint64_t iterations;

	if (json_object_object_length(digests) != 1 || !type || strcmp(type, "pbkdf2") || !hash ||
	    strlen(hash) >= sizeof(binary->hash) ||
	    !luks2_json_base64(digest, "salt", binary->digest_salt, &salt_size) ||
	    salt_size != sizeof(binary->digest_salt) ||
	    !luks2_json_base64(digest, "digest", bytes, &size) || size < sizeof(binary->digest) ||
	    !luks2_json_integer(digest, "iterations", UINT32_MAX, &iterations))
		return refuse(err, "key slot digests are not LUKS1 compatible.");
	memcpy(binary->hash, hash, strlen(hash));
	/* PBKDF2 computes a longer digest block by block: its start is the shorter digest. */
	memcpy(binary->digest, bytes, sizeof(binary->digest));
	binary->digest_iterations = (uint32_t)iterations;
	return MORTISE_OK;
}

static enum mortise_code take_segment(struct json_object *metadata, struct luks1_binary *binary,
				      struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct luks2_segment segment;
	enum mortise_code code = luks2_segment_get(metadata, &segment, err);

	if (code)
		return code;
	if (segment.sector_size != LUKS1_SECTOR)
		return refuse(err, "default segment encryption sector size is not 512 bytes.");
	if (json_object_object_length(segments) != 1)
		return refuse(err, "device uses more segments.");
	if (segment.integrity.type)
		return refuse(err, "device uses integrity.");
	if (segment.size || segment.iv_tweak || segment.offset / LUKS1_SECTOR > UINT32_MAX)
		return refuse(err, "the data does not begin with sector 0 or has a fixed size.");
	if (!split_cipher(segment.cipher, binary))
		return refuse(err, "the name of the cipher is too long.");
	binary->payload = (uint32_t)(segment.offset / LUKS1_SECTOR);
	return MORTISE_OK;
}

static bool take_keyslot(struct json_object *metadata, int id, const char *cipher,
			 struct luks1_binary *binary)
{
	struct luks1_keyslot *to = &binary->keyslot[id];
	struct luks2_keyslot from;

	if (luks2_keyslot_get(metadata, id, &from, NULL) || from.kdf.type != MORTISE_KDF_PBKDF2 ||
	    strcmp(from.kdf.hash, binary->hash) || strcmp(from.af_hash, binary->hash) ||
	    strcmp(from.cipher, cipher) || from.area_key_size != from.key_size ||
	    from.salt_size != sizeof(to->salt) || from.area_offset / LUKS1_SECTOR > UINT32_MAX ||
	    from.area_size < luks2_area_used(from.key_size))
		return false;
	if (binary->key_size && binary->key_size != from.key_size)
		return false;
	binary->key_size = from.key_size;
	to->state = LUKS1_ACTIVE;
	to->iterations = from.kdf.time;
	to->offset = (uint32_t)(from.area_offset / LUKS1_SECTOR);
	memcpy(to->salt, from.salt, sizeof(to->salt));
	return true;
}

static enum mortise_code take_keyslots(struct json_object *metadata, struct luks1_binary *binary,
				       struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	const char *cipher = luks2_json_text(luks2_json_get_id(segments, 0), "encryption");

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (!luks2_keyslot_in_use(metadata, id))
			continue;
		if (id >= (int)LUKS1_KEYSLOTS)
			return refuse(err, "slot %d (over maximum slots) is still active.", id);
		if (!take_keyslot(metadata, id, cipher, binary))
			return refuse(err, "keyslot %d is not LUKS1 compatible.", id);
	}
	if (!binary->key_size)
		return refuse(err, "there is no keyslot, and LUKS1 needs the size of its key.");
	return MORTISE_OK;
}

/* LUKS1 reserves an area for each inactive keyslot, too. The LUKS2 copies make room for them. */
static enum mortise_code place_inactive(const struct luks2_device *device,
					struct luks1_binary *binary, struct mortise_error *err)
{
	const uint64_t sectors = luks1_area_sectors(binary);
	const uint64_t size = device->size / LUKS1_SECTOR;
	/* A header file can be shorter than the offset of the data. */
	const uint64_t end = binary->payload && binary->payload < size ? binary->payload : size;
	const uint64_t step = LUKS1_AREA_MIN / LUKS1_SECTOR;

	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		uint64_t at = step;

		if (binary->keyslot[i].state == LUKS1_ACTIVE)
			continue;
		for (unsigned j = 0; j < LUKS1_KEYSLOTS; j++) {
			const uint64_t other = binary->keyslot[j].offset;

			if (other && at < other + sectors && other < at + sectors) {
				at = (other + sectors + step - 1) / step * step;
				j = UINT32_MAX; /* compare with all of them again */
			}
		}
		if (at + sectors > end || at > UINT32_MAX)
			return error_set(
				err, MORTISE_E_NO_SPACE, 0,
				"Cannot convert to LUKS1 format - no room for the areas of "
				"%u keyslots.",
				LUKS1_KEYSLOTS);
		binary->keyslot[i].state = LUKS1_INACTIVE;
		binary->keyslot[i].offset = (uint32_t)at;
	}
	return MORTISE_OK;
}

static enum mortise_code make_luks1(const struct mortise_luks2 *header, struct luks1_binary *binary,
				    struct mortise_error *err)
{
	struct json_object *metadata = header->metadata;
	struct json_object *tokens = luks2_tokens(metadata);
	uint8_t bytes[LUKS1_SIZE];
	enum mortise_code code = luks2_usable(metadata, err);

	memset(binary, 0, sizeof(*binary));
	if (!code)
		code = take_segment(metadata, binary, err);
	if (!code)
		code = take_digest(metadata, binary, err);
	if (!code && json_object_object_length(tokens))
		code = refuse(err, "LUKS2 header contains %d token(s).",
			      json_object_object_length(tokens));
	if (!code)
		code = take_keyslots(metadata, binary, err);
	if (!code)
		code = place_inactive(header->device, binary, err);
	if (code)
		return code;
	memcpy(binary->uuid, header->binary.uuid, sizeof(binary->uuid));
	luks1_encode(binary, bytes);
	return luks1_decode(bytes, binary, err);
}

static enum mortise_code write_sector(const struct luks2_device *device, const uint8_t *bytes,
				      uint64_t at, struct mortise_error *err)
{
	enum mortise_code code = luks2_device_write(device, bytes + at, LUKS1_SECTOR, at, err);

	return code ? code : luks2_device_flush(device, err);
}

static enum mortise_code write_header(const struct mortise_luks2 *header,
				      const struct luks1_binary *binary, struct mortise_error *err)
{
	const struct luks2_device *device = header->device;
	uint8_t bytes[LUKS1_AREA_MIN] = { 0 };
	enum mortise_code code;

	luks1_encode(binary, bytes);
	code = write_sector(device, bytes, LUKS1_SECTOR, err);
	if (!code)
		code = write_sector(device, bytes, 0, err);
	/* The device is LUKS1 now. */
	if (!code)
		code = luks2_device_write(device, bytes + WHOLE_SECTORS,
					  sizeof(bytes) - WHOLE_SECTORS, WHOLE_SECTORS, err);
	if (!code)
		code = luks2_area_wipe(device, LUKS1_AREA_MIN,
				       2 * header->binary.copy_size - LUKS1_AREA_MIN, NULL, err);
	return code;
}

enum mortise_code luks2_to_luks1(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	struct json_object *metadata = NULL;
	struct luks1_binary *binary = malloc(sizeof(*binary));
	enum mortise_code code = binary ? make_luks1(header, binary, err) : error_memory(err);

	if (!code && !luks2_header_is_whole(header))
		code = error_set(err, MORTISE_E_CORRUPT, 0,
				 "cannot convert %s: one copy of its header is damaged; repair it "
				 "first",
				 header->device->path);
	if (!code) {
		metadata = luks1_metadata_new(binary, 0);
		code = metadata ? luks2_update_begin(header, &update, err) : error_memory(err);
	}
	if (!code)
		code = write_header(header, binary, err);
	luks2_update_abort(&update);
	if (!code) {
		json_object_put(header->metadata);
		header->metadata = metadata;
		header->luks1 = binary;
		return MORTISE_OK;
	}
	json_object_put(metadata);
	free(binary);
	return code;
}
