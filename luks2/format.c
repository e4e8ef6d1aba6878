/* SPDX-License-Identifier: MIT */
/*
 * Making a header: first the marked header, then the keyslots area. The mark is removed by the
 * update that adds the first keyslot.
 */
#include "luks2/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "base/sized.h"
#include "keys/hash.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/ciphers.h"
#include "luks2/digest.h"
#include "luks2/integrity.h"
#include "luks2/layout.h"
#include "luks2/model.h"
#include "luks2/private.h"
#include "luks2/uuid.h"

#define CIPHER_DEFAULT "aes-xts-plain64"
#define HASH_DEFAULT   "sha256"
#define PIECE	       (128u << 10) /* bytes written at once, as WIPE_PIECE in luks2/area.c */

static bool is_empty_object(struct json_object *parent, const char *name)
{
	struct json_object *object;

	return json_object_object_get_ex(parent, name, &object) &&
	       json_object_is_type(object, json_type_object) && !json_object_object_length(object);
}

/*
 * Anyone who can write the disk can set the marks. Nothing is lost if they are believed: without a
 * keyslot in its header, the volume is lost already.
 */
bool luks2_format_unfinished(const struct mortise_luks2 *header)
{
	return !strcmp(header->binary.subsystem, LUKS2_UNFINISHED_SUBSYSTEM) &&
	       luks2_json_get(header->metadata, LUKS2_UNFINISHED_MEMBER, json_type_string) &&
	       is_empty_object(header->metadata, "keyslots") &&
	       is_empty_object(header->metadata, "tokens");
}

void luks2_format_finish(struct luks2_update *update)
{
	/* The value of the mark is the requested subsystem. */
	const char *subsystem = luks2_json_text(update->metadata, LUKS2_UNFINISHED_MEMBER);

	if (!json_object_object_get_ex(update->metadata, LUKS2_UNFINISHED_MEMBER, NULL))
		return;
	snprintf(update->binary.subsystem, sizeof(update->binary.subsystem), "%s",
		 subsystem ? subsystem : "");
	json_object_object_del(update->metadata, LUKS2_UNFINISHED_MEMBER);
}

static enum mortise_code set_text(char *field, size_t room, const char *text, const char *what,
				  struct mortise_error *err)
{
	if (!text)
		text = "";
	if (strlen(text) >= room)
		return error_set(err, MORTISE_E_USAGE, 0, "%s is too long (at most %zu bytes).",
				 what, room - 1);
	memset(field, 0, room);
	memcpy(field, text, strlen(text));
	return MORTISE_OK;
}

static enum mortise_code make_binary(const struct mortise_format *format, uint64_t copy_size,
				     struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_binary *binary = &header->binary;
	char checked[MORTISE_LABEL_MAX + 1];
	enum mortise_code code;

	memset(binary, 0, sizeof(*binary));
	binary->copy_size = copy_size;
	binary->seqid = 2; /* as in cryptsetup, where the first keyslot makes it 3 */
	snprintf(binary->checksum_hash, sizeof(binary->checksum_hash), "sha256");
	snprintf(binary->subsystem, sizeof(binary->subsystem), LUKS2_UNFINISHED_SUBSYSTEM);
	code = set_text(binary->label, sizeof(binary->label), format->label, "Label", err);
	if (code)
		return code;
	code = set_text(checked, sizeof(checked), format->subsystem, "Subsystem", err);
	if (code)
		return code;
	code = format->uuid ? luks2_uuid_parse(format->uuid, binary->uuid, err)
			    : luks2_uuid_random(binary->uuid, err);
	if (code)
		return code;
	code = random_bytes(binary->salt, sizeof(binary->salt), err);
	if (code)
		return code;
	return random_bytes(header->second_salt, sizeof(header->second_salt), err);
}

/* A format without integrity: integrity->type is NULL. */
static enum mortise_code find_integrity(const struct mortise_format *format,
					struct luks2_integrity *integrity,
					struct mortise_error *err)
{
	*integrity = (struct luks2_integrity){ .type = NULL };
	if (!format->integrity)
		return MORTISE_OK;
	return luks2_integrity_find(format->integrity,
				    format->cipher ? format->cipher : CIPHER_DEFAULT,
				    format->integrity_key_size, integrity, err);
}

static struct json_object *segment_json_new(const struct mortise_format *format, const char *cipher,
					    const struct luks2_layout *layout)
{
	const struct luks2_segment form = {
		.offset = layout->data_offset,
		.cipher = cipher,
		.sector_size = layout->sector_size,
	};
	struct json_object *segment = luks2_segment_new(&form);
	struct luks2_integrity integrity;

	if (segment && !find_integrity(format, &integrity, NULL) &&
	    (!integrity.type ||
	     luks2_json_add(segment, "integrity", luks2_integrity_new(&integrity))))
		return segment;
	json_object_put(segment);
	return NULL;
}

static bool add_sections(struct json_object *metadata, const struct mortise_format *format,
			 const char *cipher, const struct luks2_layout *layout)
{
	struct json_object *segments = json_object_new_object();
	struct json_object *config = json_object_new_object();
	const char *subsystem = format->subsystem ? format->subsystem : "";

	return luks2_json_add(metadata, LUKS2_UNFINISHED_MEMBER,
			      json_object_new_string(subsystem)) &&
	       luks2_json_add(metadata, "keyslots", json_object_new_object()) &&
	       luks2_json_add(metadata, "tokens", json_object_new_object()) &&
	       luks2_json_add(metadata, "segments", segments) &&
	       luks2_json_add_id(segments, 0, segment_json_new(format, cipher, layout)) &&
	       luks2_json_add(metadata, "digests", json_object_new_object()) &&
	       luks2_json_add(metadata, "config", config) &&
	       luks2_json_add(config, "json_size",
			      luks2_json_new_decimal(layout->copy_size - LUKS2_BINARY_SIZE)) &&
	       luks2_json_add(config, "keyslots_size",
			      luks2_json_new_decimal(layout->keyslots_size)) &&
	       (!format->integrity_inline ||
		luks2_requirement_set(metadata, LUKS2_REQUIREMENT_INLINE));
}

static enum mortise_code make_metadata(const struct mortise_format *format, const char *cipher,
				       const struct luks2_layout *layout,
				       struct mortise_luks2 *header, struct mortise_error *err)
{
	const char *hash = format->hash ? format->hash : HASH_DEFAULT;
	uint32_t iterations = format->digest_iterations;
	enum mortise_code code;
	int digest;

	header->metadata = json_object_new_object();
	if (!header->metadata || !add_sections(header->metadata, format, cipher, layout))
		return error_memory(err);
	/* A random key cannot be guessed, and stretching it would cost each unlock 0.1 s. */
	if (!iterations && !format->volume_key)
		iterations = LUKS2_DIGEST_ITERATIONS_MIN;
	code = luks2_digest_add(header->metadata, hash, iterations, header->volume_key,
				&header->device->events, &digest, err);
	if (code)
		return code;
	if (!luks2_digest_assign(header->metadata, digest, "segments", 0))
		return error_memory(err);
	return MORTISE_OK;
}

uint32_t luks2_volume_key_size(const struct mortise_format *format)
{
	struct luks2_integrity integrity;
	uint32_t size = format->key_size;

	if (format->volume_key)
		return (uint32_t)mortise_secret_size(format->volume_key);
	if (!size)
		size = !format->cipher || strstr(format->cipher, "-xts-") ? 64 : 32;
	return find_integrity(format, &integrity, NULL) ? size : size + integrity.key_size;
}

enum mortise_code mortise_format_key_size(const struct mortise_format *format, uint32_t *size,
					  struct mortise_error *err)
{
	struct luks2_integrity integrity;
	struct mortise_format wanted;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_format, integrity), &wanted, format, err);
	if (!code)
		code = find_integrity(&wanted, &integrity, err);
	*size = code ? 0 : luks2_volume_key_size(&wanted);
	return code;
}

enum mortise_code luks2_format_check_cipher(const struct mortise_format *format,
					    const char *allowed, struct mortise_error *err)
{
	const char *cipher = format->cipher ? format->cipher : CIPHER_DEFAULT;
	const uint32_t size = luks2_volume_key_size(format);
	struct luks2_integrity integrity;
	enum mortise_code code = find_integrity(format, &integrity, err);

	if (code)
		return code;
	if (luks2_cipher_is_null(cipher))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "cannot format with cipher %s: it does not encrypt", cipher);
	if (!strchr(cipher, '-') || strlen(cipher) > MORTISE_CIPHER_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "No known cipher specification pattern detected. (%.60s)", cipher);
	if (!size || size > LUKS2_KEY_SIZE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Cipher %s with a key of %u bits is not available.", cipher,
				 size * 8);
	return luks2_integrity_check("cannot format", cipher, size, &integrity, allowed, err);
}

static enum mortise_code make_volume_key(const struct mortise_format *format,
					 struct mortise_luks2 *header, struct mortise_error *err)
{
	uint32_t size = luks2_volume_key_size(format);

	if (format->volume_key)
		return mortise_secret_from(mortise_secret_data(format->volume_key), size,
					   &header->volume_key, err);
	return secret_random(size, &header->volume_key, err);
}

static enum mortise_code write_zeros(const struct luks2_device *device, uint64_t from, uint64_t to,
				     struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint8_t *zeros;

	if (from >= to)
		return MORTISE_OK;
	zeros = calloc(1, PIECE);
	if (!zeros)
		return error_memory(err);
	while (!code && from < to) {
		size_t now = to - from < PIECE ? (size_t)(to - from) : PIECE;

		code = luks2_device_write(device, zeros, now, from, err);
		from += now;
		if (!code && events_canceled(&device->events))
			code = events_cancel_error(err);
	}
	free(zeros);
	return code;
}

/* Writes both copies with the mark: from here on an interrupted format is recognized. */
static enum mortise_code write_marked(struct mortise_luks2 *header, struct mortise_error *err)
{
	const struct luks2_update first = {
		.header = header,
		.binary = header->binary,
		.metadata = header->metadata,
	};
	enum mortise_code code = luks2_update_fits(&first, err);

	if (code)
		return code;
	return luks2_copies_write(&first, err);
}

static enum mortise_code write_locked(const struct luks2_layout *layout,
				      struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_device *device = header->device;
	uint64_t copies = 2 * layout->copy_size;
	uint64_t keyslots_end = copies + layout->keyslots_size;
	enum mortise_code code;

	/* Most old signatures are here. An old secondary header (up to 4 MiB) is overwritten below. */
	code = write_zeros(device, 0, copies, err);
	if (code)
		return code;
	code = luks2_device_flush(device, err);
	if (code)
		return code;
	code = write_marked(header, err);
	if (code)
		return code;
	/* A new file holds nothing to overwrite, and stays sparse. */
	if (!device->grows)
		code = luks2_area_wipe(device, copies, layout->keyslots_size, &device->events, err);
	if (code)
		return code;
	if (!header->detached) {
		code = write_zeros(device, keyslots_end, layout->data_offset, err);
		if (code)
			return code;
	}
	return luks2_device_flush(device, err);
}

static enum mortise_code write_device(const struct luks2_layout *layout,
				      struct mortise_luks2 *header, struct mortise_error *err)
{
	enum mortise_code code;

	code = luks2_device_grow(header->device, luks2_layout_end(layout, !header->detached), err);
	if (code)
		return code;
	code = luks2_device_lock(header->device, true, err);
	if (code)
		return code;
	code = write_locked(layout, header, err);
	luks2_device_unlock(header->device);
	return code;
}

/* Fills the header in memory. */
static enum mortise_code make_header(const struct mortise_format *format,
				     const struct luks2_layout *layout,
				     struct mortise_luks2 *header, struct mortise_error *err)
{
	const char *cipher = format->cipher ? format->cipher : CIPHER_DEFAULT;
	enum mortise_code code;

	code = make_binary(format, layout->copy_size, header, err);
	if (code)
		return code;
	code = make_volume_key(format, header, err);
	if (code)
		return code;
	return make_metadata(format, cipher, layout, header, err);
}

enum mortise_code luks2_format(const struct mortise_format *format, struct luks2_device *device,
			       struct luks2_device *data, struct mortise_luks2 **out,
			       struct mortise_error *err)
{
	const char *hash = format->hash ? format->hash : HASH_DEFAULT;
	struct mortise_luks2 *header;
	struct luks2_layout layout;
	enum mortise_code code;

	if (!keys_hash_size(hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested LUKS hash %.40s is not supported.", hash);
	device->grows = device != data && luks2_device_is_blank(device);
	code = luks2_layout_choose(format, device, data, &layout, err);
	if (code)
		return code;
	header = calloc(1, sizeof(*header));
	if (!header)
		return error_memory(err);
	header->data_path = strdup(data->path);
	if (!header->data_path) {
		code = error_memory(err);
		goto out;
	}
	header->detached = device != data;
	header->device = device;
	code = make_header(format, &layout, header, err);
	if (code)
		goto out;
	code = luks2_device_writable(device, err);
	if (code)
		goto out;
	code = write_device(&layout, header, err);
	if (code)
		goto out;
	*out = header;
	header = NULL;
out:
	if (header)
		header->device = NULL; /* stays the caller's */
	mortise_luks2_free(&header);
	return code;
}
