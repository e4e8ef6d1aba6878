/* SPDX-License-Identifier: MIT */
/* Reading LUKS1 headers (LUKS1 On-Disk Format Specification 1.2.3). */
#include "luks2/luks1.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "keys/af.h"
#include "luks2/area.h"
#include "luks2/bytes.h"
#include "luks2/digest.h"
#include "luks2/model.h"
#include "luks2/private.h"

/* Offsets of the fields. Integers are big-endian. */
enum {
	AT_VERSION = 6,
	AT_CIPHER = 8,
	AT_MODE = 40,
	AT_HASH = 72,
	AT_PAYLOAD = 104,
	AT_KEY_SIZE = 108,
	AT_DIGEST = 112,
	AT_DIGEST_SALT = 132,
	AT_DIGEST_ITERATIONS = 164,
	AT_UUID = 168,
	AT_KEYSLOTS = 208,
	/* In a keyslot. */
	AT_STATE = 0,
	AT_ITERATIONS = 4,
	AT_SALT = 8,
	AT_OFFSET = 40,
	AT_STRIPES = 44,
	KEYSLOT_SIZE = 48,
};

_Static_assert(AT_KEYSLOTS + LUKS1_KEYSLOTS * KEYSLOT_SIZE == LUKS1_SIZE, "keyslots");

static const uint8_t magic[AT_VERSION] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };

uint64_t luks1_area_sectors(const struct luks1_binary *binary)
{
	return luks2_area_used(binary->key_size) / LUKS1_SECTOR;
}

uint64_t luks1_areas_end(const struct luks1_binary *binary)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++)
		if (binary->keyslot[i].offset > last)
			last = binary->keyslot[i].offset;
	return (last + luks1_area_sectors(binary)) * LUKS1_SECTOR;
}

static enum mortise_code corrupt(struct mortise_error *err, int keyslot, const char *why)
{
	if (keyslot < 0)
		return error_set(err, MORTISE_E_CORRUPT, 0, "LUKS1 header: %s", why);
	return error_set(err, MORTISE_E_CORRUPT, 0, "LUKS keyslot %d is invalid. (%s)", keyslot,
			 why);
}

/* As in cryptsetup, the areas of inactive keyslots count. */
static enum mortise_code check_areas(const struct luks1_binary *binary, struct mortise_error *err)
{
	const uint64_t sectors = luks1_area_sectors(binary);

	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		const uint64_t offset = binary->keyslot[i].offset;

		if (offset * LUKS1_SECTOR < LUKS1_SIZE)
			return corrupt(err, (int)i, "its area overlaps the header");
		if (binary->payload && offset + sectors > binary->payload)
			return corrupt(err, (int)i, "its area overlaps the data");
		for (unsigned j = 0; j < i; j++) {
			const uint64_t other = binary->keyslot[j].offset;

			if (offset < other + sectors && other < offset + sectors)
				return corrupt(err, (int)i, "its area overlaps another one");
		}
	}
	return MORTISE_OK;
}

/* Names become part of JSON text. */
static bool is_name(const char *text)
{
	for (; *text; text++)
		if (!isgraph((unsigned char)*text) || *text == '"' || *text == '\\')
			return false;
	return true;
}

enum mortise_code luks1_decode(const uint8_t bytes[static LUKS1_SIZE], struct luks1_binary *binary,
			       struct mortise_error *err)
{
	*binary = (struct luks1_binary){ 0 };
	if (memcmp(bytes, magic, sizeof(magic)) || load_be(bytes + AT_VERSION, 2) != 1)
		return error_set(err, MORTISE_E_NOT_LUKS2, 0, "no LUKS1 header");
	load_text(binary->cipher, sizeof(binary->cipher), bytes + AT_CIPHER);
	load_text(binary->mode, sizeof(binary->mode), bytes + AT_MODE);
	load_text(binary->hash, sizeof(binary->hash), bytes + AT_HASH);
	load_text(binary->uuid, sizeof(binary->uuid), bytes + AT_UUID);
	binary->payload = (uint32_t)load_be(bytes + AT_PAYLOAD, 4);
	binary->key_size = (uint32_t)load_be(bytes + AT_KEY_SIZE, 4);
	memcpy(binary->digest, bytes + AT_DIGEST, sizeof(binary->digest));
	memcpy(binary->digest_salt, bytes + AT_DIGEST_SALT, sizeof(binary->digest_salt));
	binary->digest_iterations = (uint32_t)load_be(bytes + AT_DIGEST_ITERATIONS, 4);
	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		const uint8_t *from = bytes + AT_KEYSLOTS + i * KEYSLOT_SIZE;
		struct luks1_keyslot *keyslot = &binary->keyslot[i];

		keyslot->state = (uint32_t)load_be(from + AT_STATE, 4);
		keyslot->iterations = (uint32_t)load_be(from + AT_ITERATIONS, 4);
		memcpy(keyslot->salt, from + AT_SALT, sizeof(keyslot->salt));
		keyslot->offset = (uint32_t)load_be(from + AT_OFFSET, 4);
		if (load_be(from + AT_STRIPES, 4) != KEYS_AF_STRIPES)
			return corrupt(err, (int)i, "its key is not split into 4000 stripes");
	}
	if (!binary->cipher[0] || !is_name(binary->cipher) || !is_name(binary->mode))
		return corrupt(err, -1, "invalid cipher name");
	if (!binary->hash[0] || !is_name(binary->hash))
		return corrupt(err, -1, "invalid hash name");
	if (!binary->key_size || binary->key_size > LUKS2_KEY_SIZE_MAX)
		return corrupt(err, -1, "invalid key size");
	return check_areas(binary, err);
}

void luks1_encode(const struct luks1_binary *binary, uint8_t bytes[static LUKS1_SIZE])
{
	memset(bytes, 0, LUKS1_SIZE);
	memcpy(bytes, magic, sizeof(magic));
	store_be(bytes + AT_VERSION, 2, 1);
	store_text(bytes + AT_CIPHER, binary->cipher, sizeof(binary->cipher));
	store_text(bytes + AT_MODE, binary->mode, sizeof(binary->mode));
	store_text(bytes + AT_HASH, binary->hash, sizeof(binary->hash));
	store_be(bytes + AT_PAYLOAD, 4, binary->payload);
	store_be(bytes + AT_KEY_SIZE, 4, binary->key_size);
	memcpy(bytes + AT_DIGEST, binary->digest, sizeof(binary->digest));
	memcpy(bytes + AT_DIGEST_SALT, binary->digest_salt, sizeof(binary->digest_salt));
	store_be(bytes + AT_DIGEST_ITERATIONS, 4, binary->digest_iterations);
	store_text(bytes + AT_UUID, binary->uuid, sizeof(binary->uuid));
	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		uint8_t *to = bytes + AT_KEYSLOTS + i * KEYSLOT_SIZE;
		const struct luks1_keyslot *keyslot = &binary->keyslot[i];

		store_be(to + AT_STATE, 4, keyslot->state);
		store_be(to + AT_ITERATIONS, 4, keyslot->iterations);
		memcpy(to + AT_SALT, keyslot->salt, sizeof(keyslot->salt));
		store_be(to + AT_OFFSET, 4, keyslot->offset);
		store_be(to + AT_STRIPES, 4, KEYS_AF_STRIPES);
	}
}

__attribute__((format(printf, 1, 2))) static struct json_object *json_new(const char *format, ...)
{
	va_list arguments;
	char text[1024];
	const char *why;
	size_t end;
	int size;

	va_start(arguments, format);
	size = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return size > 0 && size < (int)sizeof(text)
		       ? luks2_json_parse(text, (size_t)size, &end, &why)
		       : NULL;
}

/* Whole pages, unless another area or the end of the keyslots area, if it is known, comes before. */
static uint64_t area_size(const struct luks1_binary *binary, uint32_t offset, uint64_t limit)
{
	uint64_t end = offset + luks2_area_room(binary->key_size) / LUKS1_SECTOR;

	if (limit && limit / LUKS1_SECTOR < end)
		end = limit / LUKS1_SECTOR;
	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++)
		if (binary->keyslot[i].offset > offset && binary->keyslot[i].offset < end)
			end = binary->keyslot[i].offset;
	return (end - offset) * LUKS1_SECTOR;
}

/* The members have the order that cryptsetup writes when it converts a header. */
static struct json_object *keyslot_new(const struct luks1_binary *binary,
				       const struct luks1_keyslot *keyslot, uint64_t limit)
{
	char salt[BASE64_ROOM(LUKS1_SALT_SIZE)];

	base64_encode(keyslot->salt, LUKS1_SALT_SIZE, salt);
	return json_new("{\"type\":\"luks2\",\"key_size\":%" PRIu32 ",\"kdf\":{\"type\":\"pbkdf2\","
			"\"hash\":\"%s\",\"iterations\":%" PRIu32 ",\"salt\":\"%s\"},"
			"\"af\":{\"type\":\"luks1\",\"hash\":\"%s\",\"stripes\":%u},"
			"\"area\":{\"type\":\"raw\",\"encryption\":\"%s%s%s\",\"key_size\":%" PRIu32
			",\"offset\":\"%" PRIu64 "\",\"size\":\"%" PRIu64 "\"}}",
			binary->key_size, binary->hash, keyslot->iterations, salt, binary->hash,
			KEYS_AF_STRIPES, binary->cipher, binary->mode[0] ? "-" : "", binary->mode,
			binary->key_size, (uint64_t)keyslot->offset * LUKS1_SECTOR,
			area_size(binary, keyslot->offset, limit));
}

struct json_object *luks1_metadata_new(const struct luks1_binary *binary, uint64_t keyslots_size)
{
	const uint64_t limit = keyslots_size ? 2 * LUKS2_COPY_SIZE_MIN + keyslots_size : 0;
	char salt[BASE64_ROOM(LUKS1_SALT_SIZE)], digest[BASE64_ROOM(LUKS1_DIGEST_SIZE)];
	struct json_object *metadata, *keyslots;

	base64_encode(binary->digest_salt, LUKS1_SALT_SIZE, salt);
	base64_encode(binary->digest, LUKS1_DIGEST_SIZE, digest);
	metadata = json_new(
		"{\"keyslots\":{},\"tokens\":{},\"segments\":{\"0\":{\"type\":\"crypt\","
		"\"offset\":\"%" PRIu64 "\",\"iv_tweak\":\"0\",\"size\":\"dynamic\","
		"\"encryption\":\"%s%s%s\",\"sector_size\":%u}},\"digests\":{\"0\":{"
		"\"type\":\"pbkdf2\",\"keyslots\":[],\"segments\":[\"0\"],\"hash\":\"%s\","
		"\"salt\":\"%s\",\"digest\":\"%s\",\"iterations\":%" PRIu32 "}},"
		"\"config\":{\"json_size\":\"%u\",\"keyslots_size\":\"%" PRIu64 "\"}}",
		(uint64_t)binary->payload * LUKS1_SECTOR, binary->cipher,
		binary->mode[0] ? "-" : "", binary->mode, LUKS1_SECTOR, binary->hash, salt, digest,
		binary->digest_iterations, LUKS2_COPY_SIZE_MIN - LUKS2_BINARY_SIZE, keyslots_size);
	keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	for (int i = 0; keyslots && i < (int)LUKS1_KEYSLOTS; i++) {
		const struct luks1_keyslot *keyslot = &binary->keyslot[i];

		if (keyslot->state == LUKS1_ACTIVE &&
		    (!luks2_json_add_id(keyslots, i, keyslot_new(binary, keyslot, limit)) ||
		     !luks2_digest_assign(metadata, 0, "keyslots", i)))
			keyslots = NULL;
	}
	if (keyslots)
		return metadata;
	json_object_put(metadata);
	return NULL;
}

static enum mortise_code make_header(struct luks2_device *device, const struct luks1_binary *binary,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	struct mortise_luks2 *header = calloc(1, sizeof(*header));

	if (!header)
		return error_memory(err);
	header->luks1 = malloc(sizeof(*binary));
	header->data_path = strdup(device->path);
	header->metadata = luks1_metadata_new(binary, 0);
	if (!header->luks1 || !header->data_path || !header->metadata) {
		mortise_luks2_free(&header);
		return error_memory(err);
	}
	header->device = device;
	*header->luks1 = *binary;
	memcpy(header->binary.uuid, binary->uuid, sizeof(header->binary.uuid));
	*out = header;
	return MORTISE_OK;
}

enum mortise_code luks1_header_read(struct luks2_device *device, struct mortise_luks2 **out,
				    struct mortise_error *err)
{
	uint8_t bytes[LUKS1_SIZE];
	struct luks1_binary binary;
	enum mortise_code code;

	code = luks2_device_lock(device, false, err);
	if (code)
		return code;
	code = luks2_device_read(device, bytes, sizeof(bytes), 0, err);
	/* Too short to hold a header. */
	if (code == MORTISE_E_CORRUPT)
		code = MORTISE_E_NOT_LUKS2;
	if (!code)
		code = luks1_decode(bytes, &binary, err);
	luks2_device_unlock(device);
	if (code == MORTISE_E_CORRUPT)
		error_prefix(err, "Device %s is not a valid LUKS device", device->path);
	if (!code && device->size < luks1_areas_end(&binary))
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. (LUKS1 requires at least %" PRIu64
				 " bytes.)",
				 device->path, luks1_areas_end(&binary));
	return code ? code : make_header(device, &binary, out, err);
}
