/* SPDX-License-Identifier: MIT */
/* The rules of the format: the whole document, requirements, tokens, digests, config. */
#include "luks2/validate.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "luks2/binary.h"
#include "luks2/metadata.h"

static bool all_strings(struct json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (!json_object_is_type(json_object_array_get_idx(array, i), json_type_string))
			return false;
	return true;
}

/* As many as there can be targets. */
#define REFERENCES_MAX 32u

bool luks2_references_valid(struct json_object *array, struct json_object *targets)
{
	if (!array || json_object_array_length(array) > REFERENCES_MAX || !all_strings(array))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		const char *key = json_object_get_string(json_object_array_get_idx(array, i));

		if (!luks2_json_get(targets, key, json_type_object))
			return false;
	}
	return true;
}

/* First, because the other checks compare each object with each reference. */
static enum mortise_code validate_counts(struct json_object *metadata, struct mortise_error *err)
{
	static const struct {
		const char *name;
		int max;
	} sections[] = {
		{ "keyslots", MORTISE_KEYSLOTS_MAX },
		{ "tokens", MORTISE_TOKENS_MAX },
		{ "segments", MORTISE_SEGMENTS_MAX },
		{ "digests", MORTISE_DIGESTS_MAX },
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		struct json_object *section =
			luks2_json_get(metadata, sections[i].name, json_type_object);

		if (section && json_object_object_length(section) > sections[i].max)
			return error_set(err, MORTISE_E_CORRUPT, 0, "more than %d %s",
					 sections[i].max, sections[i].name);
	}
	return MORTISE_OK;
}

enum mortise_code luks2_validate_requirements(struct json_object *metadata,
					      struct mortise_error *err)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	struct json_object *requirements, *mandatory;

	if (!config)
		return error_set(err, MORTISE_E_CORRUPT, 0, "the config object is missing");
	if (!json_object_object_get_ex(config, "requirements", &requirements))
		return MORTISE_OK;
	if (!json_object_is_type(requirements, json_type_object))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: requirements is not an object");
	if (!json_object_object_get_ex(requirements, "mandatory", &mandatory))
		return MORTISE_OK;
	if (!json_object_is_type(mandatory, json_type_array) || !all_strings(mandatory))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: requirements.mandatory is not an array of strings");
	if (luks2_online_reencrypt_count(metadata) > 1)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: more than one online-reencrypt requirement");
	return MORTISE_OK;
}

enum mortise_code luks2_validate_tokens(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	struct json_object *tokens = luks2_json_get(metadata, "tokens", json_type_object);

	if (!tokens || !keyslots)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the tokens or keyslots object is missing");
	json_object_object_foreach(tokens, key, token) {
		if (!luks2_json_digits(key))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "token \"%.20s\": its key is not a number", key);
		if (!luks2_json_text(token, "type"))
			return error_set(err, MORTISE_E_CORRUPT, 0, "token %.20s has no type", key);
		if (!luks2_references_valid(luks2_json_get(token, "keyslots", json_type_array),
					    keyslots))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "token %.20s: keyslots must list existing keyslots", key);
	}
	return MORTISE_OK;
}

enum mortise_code luks2_validate_digests(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);

	if (!digests || !segments)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the digests or segments object is missing");
	json_object_object_foreach(digests, key, digest) {
		if (!luks2_json_digits(key))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "digest \"%.20s\": its key is not a number", key);
		if (!luks2_json_text(digest, "type"))
			return error_set(err, MORTISE_E_CORRUPT, 0, "digest %.20s has no type",
					 key);
		if (!luks2_references_valid(luks2_json_get(digest, "keyslots", json_type_array),
					    keyslots))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "digest %.20s: keyslots must list existing keyslots", key);
		if (!luks2_references_valid(luks2_json_get(digest, "segments", json_type_array),
					    segments))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "digest %.20s: segments must list existing segments", key);
	}
	return MORTISE_OK;
}

enum mortise_code luks2_validate_config(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	uint64_t json_size, keyslots_size, data;
	struct json_object *flags;

	if (!luks2_json_decimal(config, "json_size", &json_size) ||
	    json_size > LUKS2_COPY_SIZE_MAX ||
	    !luks2_copy_size_valid(json_size + LUKS2_BINARY_SIZE))
		return error_set(err, MORTISE_E_CORRUPT, 0, "config: invalid json_size");
	if (!luks2_json_decimal(config, "keyslots_size", &keyslots_size) || keyslots_size % 4096 ||
	    keyslots_size > LUKS2_KEYSLOTS_SIZE_MAX)
		return error_set(err, MORTISE_E_CORRUPT, 0, "config: invalid keyslots_size");
	data = luks2_first_data_offset(metadata);
	if (data && data < luks2_keyslots_end(metadata))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: keyslots_size %" PRIu64 " overlaps the data at %" PRIu64,
				 keyslots_size, data);
	if (json_object_object_get_ex(config, "flags", &flags) &&
	    (!json_object_is_type(flags, json_type_array) || !all_strings(flags)))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: flags is not an array of strings");
	return MORTISE_OK;
}

static enum mortise_code validate_json_size(struct json_object *metadata, uint64_t json_size,
					    struct mortise_error *err)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	const char *text = luks2_json_plain(metadata);
	uint64_t declared;

	if (!text)
		return error_memory(err);
	if (!luks2_json_decimal(config, "json_size", &declared) || declared != json_size)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "config: json_size differs from the binary header");
	if (strlen(text) > json_size)
		return error_set(err, MORTISE_E_CORRUPT, 0, "the JSON text exceeds its area");
	return MORTISE_OK;
}

enum mortise_code luks2_validate(struct json_object *metadata, uint64_t json_size,
				 struct mortise_error *err)
{
	static enum mortise_code (*const section[])(struct json_object *,
						    struct mortise_error *) = {
		validate_counts,	luks2_validate_requirements, luks2_validate_tokens,
		luks2_validate_digests, luks2_validate_segments,     luks2_validate_keyslots,
		luks2_validate_config,	luks2_validate_areas,
	};

	if (!json_object_is_type(metadata, json_type_object))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the JSON area does not contain an object");
	for (size_t i = 0; i < sizeof(section) / sizeof(*section); i++) {
		enum mortise_code code = section[i](metadata, err);

		if (code)
			return code;
	}
	return validate_json_size(metadata, json_size, err);
}
