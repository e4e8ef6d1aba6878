/* SPDX-License-Identifier: MIT */
#include "luks2/metadata.h"

#include <stdio.h>
#include <string.h>

#include "luks2/binary.h"

static struct json_object *section(struct json_object *metadata, const char *name)
{
	return luks2_json_get(metadata, name, json_type_object);
}

bool luks2_keyslot_in_use(struct json_object *metadata, int id)
{
	return luks2_json_get_id(section(metadata, "keyslots"), id);
}

static int find_digest(struct json_object *metadata, const char *list, int id)
{
	struct json_object *digests = section(metadata, "digests");
	char key[12];

	snprintf(key, sizeof(key), "%d", id);
	for (int digest = 0; digest < (int)MORTISE_DIGESTS_MAX; digest++) {
		struct json_object *object = luks2_json_get_id(digests, digest);

		if (luks2_json_array_has(luks2_json_get(object, list, json_type_array), key))
			return digest;
	}
	return -1;
}

int luks2_digest_of_keyslot(struct json_object *metadata, int keyslot)
{
	return find_digest(metadata, "keyslots", keyslot);
}

int luks2_digest_of_segment(struct json_object *metadata, int segment)
{
	return find_digest(metadata, "segments", segment);
}

bool luks2_keyslot_opens_data(struct json_object *metadata, int keyslot)
{
	int digest = luks2_digest_of_keyslot(metadata, keyslot);

	return digest >= 0 && digest == luks2_digest_of_segment(metadata, 0);
}

uint64_t luks2_keyslots_end(struct json_object *metadata)
{
	struct json_object *config = section(metadata, "config");
	uint64_t json_size, keyslots_size;

	if (!luks2_json_decimal(config, "json_size", &json_size) ||
	    !luks2_json_decimal(config, "keyslots_size", &keyslots_size) ||
	    json_size > LUKS2_COPY_SIZE_MAX || keyslots_size > LUKS2_KEYSLOTS_SIZE_MAX)
		return 0;
	return 2 * (json_size + LUKS2_BINARY_SIZE) + keyslots_size;
}

static bool add_cipher(struct json_object *object, const struct luks2_segment *segment)
{
	return luks2_json_add(object, "iv_tweak", luks2_json_new_decimal(segment->iv_tweak)) &&
	       luks2_json_add(object, "encryption", json_object_new_string(segment->cipher)) &&
	       luks2_json_add(object, "sector_size", json_object_new_int64(segment->sector_size));
}

struct json_object *luks2_segment_new(const struct luks2_segment *segment)
{
	struct json_object *object = json_object_new_object();
	struct json_object *size = segment->size ? luks2_json_new_decimal(segment->size)
						 : json_object_new_string("dynamic");

	if (object &&
	    luks2_json_add(object, "type",
			   json_object_new_string(segment->cipher ? "crypt" : "linear")) &&
	    luks2_json_add(object, "offset", luks2_json_new_decimal(segment->offset)) &&
	    luks2_json_add(object, "size", size) &&
	    (!segment->cipher || add_cipher(object, segment)))
		return object;
	json_object_put(object);
	return NULL;
}

bool luks2_segment_has_flag(struct json_object *segment, const char *prefix)
{
	struct json_object *flags = luks2_json_get(segment, "flags", json_type_array);
	size_t length = flags ? json_object_array_length(flags) : 0;

	for (size_t i = 0; i < length; i++) {
		const char *flag = json_object_get_string(json_object_array_get_idx(flags, i));

		if (flag && !strncmp(flag, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

bool luks2_segment_is_backup(struct json_object *segment)
{
	return luks2_segment_has_flag(segment, "backup-");
}

uint64_t luks2_first_data_offset(struct json_object *metadata)
{
	struct json_object *segments = section(metadata, "segments");
	uint64_t lowest = UINT64_MAX, offset;

	if (!segments)
		return 0;
	json_object_object_foreach(segments, key, segment) {
		(void)key;
		if (!luks2_segment_is_backup(segment) &&
		    luks2_json_decimal(segment, "offset", &offset) && offset < lowest)
			lowest = offset;
	}
	return lowest == UINT64_MAX ? 0 : lowest;
}

const char *luks2_requirement(struct json_object *metadata, unsigned i)
{
	struct json_object *requirements = section(section(metadata, "config"), "requirements");
	struct json_object *mandatory = luks2_json_get(requirements, "mandatory", json_type_array);

	if (!mandatory || i >= json_object_array_length(mandatory))
		return NULL;
	return json_object_get_string(json_object_array_get_idx(mandatory, i));
}

bool luks2_requirement_set(struct json_object *metadata, const char *name)
{
	struct json_object *requirements = json_object_new_object();
	struct json_object *mandatory = json_object_new_array();

	return luks2_json_add(section(metadata, "config"), "requirements", requirements) &&
	       luks2_json_add(requirements, "mandatory", mandatory) &&
	       luks2_json_append(mandatory, json_object_new_string(name));
}

const char *luks2_requirement_unmet(struct json_object *metadata, bool *inline_tags)
{
	const char *requirement;

	*inline_tags = false;
	for (unsigned i = 0; (requirement = luks2_requirement(metadata, i)); i++) {
		if (strcmp(requirement, LUKS2_REQUIREMENT_INLINE))
			return requirement;
		*inline_tags = true;
	}
	return NULL;
}

static bool is_online_reencrypt(const char *requirement)
{
	static const char base[] = "online-reencrypt";

	if (strncmp(requirement, base, sizeof(base) - 1))
		return false;
	requirement += sizeof(base) - 1;
	return !*requirement || (!strncmp(requirement, "-v", 2) && requirement[2] &&
				 luks2_json_digits(requirement + 2));
}

unsigned luks2_online_reencrypt_count(struct json_object *metadata)
{
	const char *requirement;
	unsigned count = 0;

	for (unsigned i = 0; (requirement = luks2_requirement(metadata, i)); i++)
		count += is_online_reencrypt(requirement);
	return count;
}

struct json_object *luks2_reencrypt_keyslot(struct json_object *metadata, int *id)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);

	for (*id = 0; *id < (int)MORTISE_KEYSLOTS_MAX; ++*id) {
		struct json_object *keyslot = luks2_json_get_id(keyslots, *id);
		const char *type = luks2_json_text(keyslot, "type");

		if (type && !strcmp(type, "reencrypt"))
			return keyslot;
	}
	return NULL;
}

bool luks2_config_has_flag(struct json_object *metadata, const char *flag)
{
	struct json_object *config = section(metadata, "config");

	return luks2_json_array_has(luks2_json_get(config, "flags", json_type_array), flag);
}

bool luks2_config_set_flags(struct json_object *metadata, struct json_object *flags)
{
	return luks2_json_add(section(metadata, "config"), "flags", flags);
}

struct json_object *luks2_tokens(struct json_object *metadata)
{
	return section(metadata, "tokens");
}

struct json_object *luks2_token_get(struct json_object *metadata, int id)
{
	return luks2_json_get_id(luks2_tokens(metadata), id);
}
