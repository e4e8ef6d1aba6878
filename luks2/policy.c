/* SPDX-License-Identifier: MIT */
#include "luks2/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "keys/af.h"
#include "base/error.h"
#include "luks2/ciphers.h"
#include "luks2/integrity.h"
#include "luks2/metadata.h"

#define SALT_MIN 8u /* bytes: the minimum of Argon2 (RFC 9106, 3.1) */

/* The bounds are those of the algorithms: other programs may choose costs that mortise does not. */
static enum mortise_code read_kdf(struct json_object *object, int id, struct mortise_kdf *kdf,
				  struct mortise_error *err)
{
	const char *type = luks2_json_text(object, "type");
	const char *hash = luks2_json_text(object, "hash");
	uint64_t time, memory = 0, lanes = 0;

	memset(kdf, 0, sizeof(*kdf));
	if (!strcmp(type, "pbkdf2")) {
		kdf->type = MORTISE_KDF_PBKDF2;
		if (!luks2_json_integer(object, "iterations", UINT32_MAX, &time) || !time ||
		    !hash || strlen(hash) > MORTISE_HASH_MAX)
			return error_set(err, MORTISE_E_POLICY, 0,
					 "keyslot %d: invalid PBKDF2 parameters", id);
		snprintf(kdf->hash, sizeof(kdf->hash), "%s", hash);
	} else if (!strcmp(type, "argon2i") || !strcmp(type, "argon2id")) {
		kdf->type = type[6] == 'i' && type[7] ? MORTISE_KDF_ARGON2ID : MORTISE_KDF_ARGON2I;
		if (!luks2_json_integer(object, "time", UINT32_MAX, &time) || !time ||
		    !luks2_json_integer(object, "memory", UINT32_MAX, &memory) ||
		    !luks2_json_integer(object, "cpus", 0xffffff, &lanes) || !lanes ||
		    memory < 8 * lanes)
			return error_set(err, MORTISE_E_POLICY, 0,
					 "keyslot %d: invalid Argon2 parameters", id);
	} else {
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "keyslot %d: unknown key derivation function \"%.40s\"", id, type);
	}
	kdf->time = (uint32_t)time;
	kdf->memory_kib = (uint32_t)memory;
	kdf->lanes = (uint32_t)lanes;
	return MORTISE_OK;
}

static enum mortise_code read_area(struct json_object *object, struct luks2_keyslot *keyslot,
				   struct mortise_error *err)
{
	struct json_object *area = luks2_json_get(object, "area", json_type_object);
	struct json_object *af = luks2_json_get(object, "af", json_type_object);
	uint64_t stripes, key_size;

	keyslot->cipher = luks2_json_text(area, "encryption");
	keyslot->af_hash = luks2_json_text(af, "hash");
	if (!luks2_json_integer(af, "stripes", INT32_MAX, &stripes) || stripes != KEYS_AF_STRIPES)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "keyslot %d: its key is not split into %u stripes", keyslot->id,
				 KEYS_AF_STRIPES);
	if (!luks2_json_integer(area, "key_size", LUKS2_KEY_SIZE_MAX, &key_size) || !key_size)
		return error_set(err, MORTISE_E_POLICY, 0, "keyslot %d: invalid area key size",
				 keyslot->id);
	keyslot->area_key_size = (uint32_t)key_size;
	/* CVE-2025-59054: with a null cipher any passphrase opens a keyslot. */
	if (luks2_cipher_is_null(keyslot->cipher))
		return error_set(
			err, MORTISE_E_POLICY, 0,
			"keyslot %d: its area is not encrypted (%.40s); the header may have "
			"been tampered with",
			keyslot->id, keyslot->cipher);
	if (!luks2_json_decimal(area, "offset", &keyslot->area_offset) ||
	    !luks2_json_decimal(area, "size", &keyslot->area_size) || keyslot->area_offset % 512 ||
	    keyslot->area_size < (uint64_t)keyslot->key_size * KEYS_AF_STRIPES)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "keyslot %d: its area is misaligned or shorter than its key",
				 keyslot->id);
	return MORTISE_OK;
}

enum mortise_code luks2_keyslot_get(struct json_object *metadata, int id,
				    struct luks2_keyslot *keyslot, struct mortise_error *err)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	struct json_object *object =
		id < (int)MORTISE_KEYSLOTS_MAX ? luks2_json_get_id(keyslots, id) : NULL;
	struct json_object *kdf = luks2_json_get(object, "kdf", json_type_object);
	const char *type = luks2_json_text(object, "type");
	uint64_t number = MORTISE_PRIORITY_NORMAL;
	enum mortise_code code;

	if (!object)
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.", id);
	if (strcmp(type, "luks2"))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "keyslot %d has type %.40s, which mortise cannot open", id, type);
	memset(keyslot, 0, sizeof(*keyslot));
	keyslot->id = id;
	if (!luks2_json_integer(object, "priority", MORTISE_PRIORITY_PREFER, &number))
		number = MORTISE_PRIORITY_NORMAL;
	keyslot->priority = (enum mortise_priority)number;
	if (!luks2_json_integer(object, "key_size", LUKS2_KEY_SIZE_MAX, &number) || !number)
		return error_set(err, MORTISE_E_POLICY, 0, "keyslot %d: invalid key size", id);
	keyslot->key_size = (uint32_t)number;
	code = read_kdf(kdf, id, &keyslot->kdf, err);
	if (code)
		return code;
	keyslot->salt_size = sizeof(keyslot->salt);
	if (!luks2_json_base64(kdf, "salt", keyslot->salt, &keyslot->salt_size) ||
	    keyslot->salt_size < SALT_MIN)
		return error_set(err, MORTISE_E_POLICY, 0, "keyslot %d: invalid salt", id);
	return read_area(object, keyslot, err);
}

/* The rules for a segment of type crypt, also if it is not mapped. */
static enum mortise_code check_crypt(struct json_object *object, uint32_t *sector_size,
				     struct mortise_error *err)
{
	const char *cipher = luks2_json_text(object, "encryption");
	uint64_t size;

	if (luks2_cipher_is_null(cipher))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "segment 0 is not encrypted (%.40s); the header may have been "
				 "tampered with",
				 cipher);
	if (strlen(cipher) > MORTISE_CIPHER_MAX)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "segment 0: its cipher name is too long");
	if (!luks2_json_integer(object, "sector_size", 4096, &size) || size < 512 ||
	    (size & (size - 1)))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "segment 0: its sector size is not 512, 1024, 2048 or 4096");
	*sector_size = (uint32_t)size;
	return MORTISE_OK;
}

enum mortise_code luks2_usable(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *segment = luks2_json_get_id(segments, 0);
	bool inline_tags;
	const char *requirement = luks2_requirement_unmet(metadata, &inline_tags);
	const char *type = luks2_json_text(segment, "type");
	uint32_t sector_size;

	if (requirement)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Unmet LUKS2 requirements detected. (%.60s%s)", requirement,
				 !luks2_online_reencrypt_count(metadata) ? ""
				 : MORTISE_REENCRYPTION
					 ? "; to finish it, run `mortise reencrypt`"
					 : "; this build cannot continue it: use one with "
					   "MORTISE_REENCRYPT");
	if (inline_tags && !luks2_json_get(segment, "integrity", json_type_object))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "segment 0: its tags are in the sectors, but it has no integrity");
	if (type && !strcmp(type, "crypt"))
		return check_crypt(segment, &sector_size, err);
	return MORTISE_OK;
}

enum mortise_code luks2_segment_get(struct json_object *metadata, struct luks2_segment *segment,
				    struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *object = luks2_json_get_id(segments, 0);
	struct json_object *second = luks2_json_get_id(segments, 1);
	const char *type = luks2_json_text(object, "type");
	enum mortise_code code;

	memset(segment, 0, sizeof(*segment));
	if (!type || strcmp(type, "crypt"))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "cannot map segment 0: its type %.40s is not supported",
				 type ? type : "(none)");
	if (second && !luks2_segment_is_backup(second))
		return error_set(err, MORTISE_E_POLICY, 0, "cannot map more than one data segment");
	code = check_crypt(object, &segment->sector_size, err);
	if (code)
		return code;
	segment->cipher = luks2_json_text(object, "encryption");
	code = luks2_integrity_get(luks2_json_get(object, "integrity", json_type_object),
				   segment->cipher, &segment->integrity, err);
	if (code)
		return code;
	(void)luks2_requirement_unmet(metadata, &segment->integrity.inline_tags);
	segment->digest = luks2_digest_of_segment(metadata, 0);
	if (segment->digest < 0 || !luks2_json_decimal(object, "offset", &segment->offset) ||
	    !luks2_json_decimal(object, "iv_tweak", &segment->iv_tweak))
		return error_set(err, MORTISE_E_POLICY, 0, "segment 0 has no usable digest");
	if (!luks2_json_decimal(object, "size", &segment->size))
		segment->size = 0;
	return MORTISE_OK;
}

static enum mortise_code get_part(struct json_object *metadata, struct json_object *object, int id,
				  struct luks2_segment *part, struct mortise_error *err)
{
	const char *type = luks2_json_text(object, "type");
	const char *size = luks2_json_text(object, "size");
	enum mortise_code code = MORTISE_OK;

	*part = (struct luks2_segment){ .sector_size = 512, .digest = -1 };
	if (type && !strcmp(type, "crypt")) {
		code = check_crypt(object, &part->sector_size, err);
		if (code)
			return code;
		part->cipher = luks2_json_text(object, "encryption");
		part->digest = luks2_digest_of_segment(metadata, id);
	}
	if (!type || (!part->cipher && strcmp(type, "linear")) ||
	    luks2_json_get(object, "integrity", json_type_object) ||
	    !luks2_json_decimal(object, "offset", &part->offset) || !size ||
	    (part->cipher &&
	     (part->digest < 0 || !luks2_json_decimal(object, "iv_tweak", &part->iv_tweak))) ||
	    (strcmp(size, "dynamic") && !luks2_json_decimal(object, "size", &part->size)) ||
	    part->offset % 512 || part->size % part->sector_size)
		return error_set(err, MORTISE_E_POLICY, 0, "cannot map segment %d", id);
	return MORTISE_OK;
}

enum mortise_code luks2_parts_get(struct json_object *metadata,
				  struct luks2_segment parts[static LUKS2_PARTS_MAX],
				  unsigned *count, struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *object;
	enum mortise_code code;

	*count = 0;
	for (int id = 0; (object = luks2_json_get_id(segments, id)); id++) {
		if (luks2_segment_is_backup(object))
			continue;
		if (*count == LUKS2_PARTS_MAX || (*count && !parts[*count - 1].size))
			return error_set(err, MORTISE_E_POLICY, 0,
					 "cannot map segment %d: too many segments, or a segment "
					 "without a size before it",
					 id);
		code = get_part(metadata, object, id, &parts[*count], err);
		if (code)
			return code;
		++*count;
	}
	return *count ? MORTISE_OK
		      : error_set(err, MORTISE_E_POLICY, 0, "the header has no data segment");
}
