/* SPDX-License-Identifier: MIT */
/* The rules of the format: keyslots and their areas. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "luks2/validate.h"

static bool is_argon2(const char *type)
{
	return !strcmp(type, "argon2i") || !strcmp(type, "argon2id");
}

/* KDF objects of a known type have exactly these members. Other types are valid but unusable. */
static const char *const pbkdf2_members[] = { "type", "hash", "iterations", "salt", NULL };
static const char *const argon2_members[] = { "type", "time", "memory", "cpus", "salt", NULL };

static const char *const *kdf_members(const char *kdf_type)
{
	if (!strcmp(kdf_type, "pbkdf2"))
		return pbkdf2_members;
	return is_argon2(kdf_type) ? argon2_members : NULL;
}

static bool kdf_valid(struct json_object *kdf)
{
	const char *type = luks2_json_text(kdf, "type");
	const char *const *member = type ? kdf_members(type) : NULL;
	int count = 0;

	if (!type || !member)
		return type;
	for (; member[count]; count++) {
		bool text = !strcmp(member[count], "type") || !strcmp(member[count], "hash") ||
			    !strcmp(member[count], "salt");

		if (text ? !luks2_json_text(kdf, member[count])
			 : !luks2_json_get(kdf, member[count], json_type_int))
			return false;
	}
	return json_object_object_length(kdf) == count;
}

static bool af_valid(struct json_object *af)
{
	const char *type = luks2_json_text(af, "type");

	return type && !strcmp(type, "luks1") && luks2_json_text(af, "hash") &&
	       luks2_json_get(af, "stripes", json_type_int);
}

static bool raw_area_valid(struct json_object *area)
{
	const char *type = luks2_json_text(area, "type");

	return type && !strcmp(type, "raw") && luks2_json_text(area, "encryption") &&
	       luks2_json_get(area, "key_size", json_type_int) && luks2_json_text(area, "offset") &&
	       luks2_json_text(area, "size");
}

static unsigned count_digests(struct json_object *metadata, const char *keyslot)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	unsigned count = 0;

	json_object_object_foreach(digests, key, digest) {
		(void)key;
		count += luks2_json_array_has(luks2_json_get(digest, "keyslots", json_type_array),
					      keyslot);
	}
	return count;
}

static enum mortise_code validate_luks2(struct json_object *metadata, const char *id,
					struct json_object *keyslot, struct mortise_error *err)
{
	if (!kdf_valid(luks2_json_get(keyslot, "kdf", json_type_object)))
		return error_set(err, MORTISE_E_CORRUPT, 0, "keyslot %.20s: invalid kdf", id);
	if (!af_valid(luks2_json_get(keyslot, "af", json_type_object)))
		return error_set(err, MORTISE_E_CORRUPT, 0, "keyslot %.20s: invalid af", id);
	if (!raw_area_valid(luks2_json_get(keyslot, "area", json_type_object)))
		return error_set(err, MORTISE_E_CORRUPT, 0, "keyslot %.20s: invalid area", id);
	if (count_digests(metadata, id) != 1)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "keyslot %.20s: not in exactly one digest", id);
	return MORTISE_OK;
}

static bool one_of(const char *text, const char *a, const char *b, const char *c)
{
	return text && (!strcmp(text, a) || !strcmp(text, b) || (c && !strcmp(text, c)));
}

static enum mortise_code validate_reencrypt(const char *id, struct json_object *keyslot,
					    struct mortise_error *err)
{
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	const char *type = luks2_json_text(area, "type");
	uint64_t number;
	bool good = luks2_json_integer(keyslot, "key_size", 1, &number) && number == 1 &&
		    one_of(luks2_json_text(keyslot, "mode"), "reencrypt", "encrypt", "decrypt") &&
		    one_of(luks2_json_text(keyslot, "direction"), "forward", "backward", NULL) &&
		    type;

	if (good && one_of(type, "checksum", "datashift-checksum", NULL))
		good = luks2_json_text(area, "hash") &&
		       luks2_json_integer(area, "sector_size", UINT32_MAX, &number) &&
		       number >= 512 && !(number & (number - 1));
	if (good && !strncmp(type, "datashift", 9))
		good = luks2_json_decimal(area, "shift_size", &number) && number && !(number % 512);
	if (!good)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "keyslot %.20s: invalid reencrypt members", id);
	return MORTISE_OK;
}

enum mortise_code luks2_validate_keyslots(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	enum mortise_code code = MORTISE_OK;
	unsigned reencrypt = 0;

	json_object_object_foreach(keyslots, id, keyslot) {
		const char *type = luks2_json_text(keyslot, "type");
		uint64_t key_size;

		if (!luks2_json_digits(id))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "keyslot \"%.20s\": its key is not a number", id);
		if (!type)
			return error_set(err, MORTISE_E_CORRUPT, 0, "keyslot %.20s has no type",
					 id);
		if (!luks2_json_integer(keyslot, "key_size", UINT32_MAX, &key_size))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "keyslot %.20s: invalid key_size", id);
		if (!strcmp(type, "luks2")) {
			code = validate_luks2(metadata, id, keyslot, err);
		} else if (!strcmp(type, "reencrypt")) {
			code = validate_reencrypt(id, keyslot, err);
			reencrypt++;
		}
		if (code)
			return code;
	}
	if (reencrypt > 1 || !reencrypt != !luks2_online_reencrypt_count(metadata))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "a reencrypt keyslot without an online-reencrypt requirement, or "
				 "the reverse");
	return MORTISE_OK;
}

struct area {
	uint64_t offset;
	uint64_t size;
};

static int compare_offsets(const void *left, const void *right)
{
	const struct area *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static enum mortise_code validate_area(const char *id, struct json_object *keyslot, uint64_t first,
				       uint64_t end, struct area *out, struct mortise_error *err)
{
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);

	if (!luks2_json_text(area, "type") || !luks2_json_decimal(area, "offset", &out->offset) ||
	    !luks2_json_decimal(area, "size", &out->size))
		return error_set(err, MORTISE_E_CORRUPT, 0, "keyslot %.20s: invalid area", id);
	if (out->offset < first || !out->size || out->offset > end || out->size > end - out->offset)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "keyslot %.20s: its area (offset %" PRIu64 ", size %" PRIu64
				 ") is outside the keyslots area",
				 id, out->offset, out->size);
	return MORTISE_OK;
}

enum mortise_code luks2_validate_areas(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	size_t count = 0, room = (size_t)json_object_object_length(keyslots);
	struct area *areas = calloc(room ? room : 1, sizeof(*areas));
	enum mortise_code code = MORTISE_OK;
	uint64_t keyslots_size = 0, end = luks2_keyslots_end(metadata);

	if (!areas)
		return error_memory(err);
	(void)luks2_json_decimal(config, "keyslots_size", &keyslots_size);
	json_object_object_foreach(keyslots, id, keyslot) {
		code = validate_area(id, keyslot, end - keyslots_size, end, &areas[count++], err);
		if (code)
			goto out;
	}
	qsort(areas, count, sizeof(*areas), compare_offsets);
	for (size_t i = 1; !code && i < count; i++)
		if (areas[i - 1].size > areas[i].offset - areas[i - 1].offset)
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "keyslot areas overlap at byte %" PRIu64, areas[i].offset);
out:
	free(areas);
	return code;
}

void luks2_drop_superfluous_kdf_members(struct json_object *metadata)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);

	if (!keyslots)
		return;
	json_object_object_foreach(keyslots, id, keyslot) {
		struct json_object *kdf = luks2_json_get(keyslot, "kdf", json_type_object);
		const char *type = kdf ? luks2_json_text(kdf, "type") : NULL;
		const char *const *allowed = type ? kdf_members(type) : NULL;
		struct json_object_iterator at, end;

		(void)id;
		if (!allowed)
			continue;
		/* A deletion invalidates the iterator: start again after each. */
		for (at = json_object_iter_begin(kdf), end = json_object_iter_end(kdf);
		     !json_object_iter_equal(&at, &end);) {
			const char *name = json_object_iter_peek_name(&at);
			bool keep = false;

			for (unsigned i = 0; allowed[i]; i++)
				keep |= !strcmp(name, allowed[i]);
			if (keep) {
				json_object_iter_next(&at);
				continue;
			}
			json_object_object_del(kdf, name);
			at = json_object_iter_begin(kdf);
		}
	}
}
