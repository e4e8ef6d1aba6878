/* SPDX-License-Identifier: MIT */
/* Finding every rule of the format that a header breaks, not only the first. */
#include "luks2/check.h"
#include "luks2/validate.h"

static void find_rule(struct luks2_findings *findings, uint64_t offset, struct mortise_error *what)
{
	what->offset = offset;
	luks2_find(findings, MORTISE_FINDING_RULE, true, LUKS2_REMEDY_RESTORE, 0, what);
}

typedef enum mortise_code rule(struct json_object *metadata, struct mortise_error *err);

/* *metadata with one object of one section. NULL: out of memory. */
static struct json_object *reduce(struct json_object *metadata, const char *section, const char *id,
				  struct json_object *object)
{
	struct json_object *reduced = json_object_new_object();
	struct json_object *one = json_object_new_object();
	bool made = reduced && luks2_json_add(one, id, json_object_get(object));

	json_object_object_foreach(metadata, name, value)
		made = made && luks2_json_add(reduced, name, json_object_get(value));
	made = made && luks2_json_add(reduced, section, json_object_get(one));
	json_object_put(one);
	if (made)
		return reduced;
	json_object_put(reduced);
	return NULL;
}

/* Validation ends at the first broken rule: it sees one object of the section at a time. */
static void check_each(struct luks2_findings *findings, uint64_t offset,
		       struct json_object *metadata, const char *section, rule *validate)
{
	struct json_object *all = luks2_json_get(metadata, section, json_type_object);
	struct mortise_error what;

	json_object_object_foreach(all, id, object) {
		struct json_object *reduced = reduce(metadata, section, id, object);

		if (reduced && validate(reduced, &what) == MORTISE_E_CORRUPT)
			find_rule(findings, offset, &what);
		json_object_put(reduced);
	}
}

static bool check_all(struct luks2_findings *findings, uint64_t offset,
		      struct json_object *metadata, rule *validate)
{
	struct mortise_error what;

	if (validate(metadata, &what) != MORTISE_E_CORRUPT)
		return true;
	find_rule(findings, offset, &what);
	return false;
}

/* The rules of the objects rely on these sections. */
static bool has_sections(struct json_object *metadata)
{
	return luks2_json_get(metadata, "keyslots", json_type_object) &&
	       luks2_json_get(metadata, "tokens", json_type_object) &&
	       luks2_json_get(metadata, "segments", json_type_object) &&
	       luks2_json_get(metadata, "digests", json_type_object) &&
	       luks2_json_get(metadata, "config", json_type_object);
}

void luks2_check_rules(struct luks2_findings *findings, uint64_t offset,
		       struct json_object *metadata, uint64_t json_size)
{
	const unsigned before = findings->count;
	struct mortise_error first;

	if (luks2_validate(metadata, json_size, &first) != MORTISE_E_CORRUPT)
		return;
	if (has_sections(metadata)) {
		check_all(findings, offset, metadata, luks2_validate_requirements);
		check_each(findings, offset, metadata, "tokens", luks2_validate_tokens);
		check_each(findings, offset, metadata, "digests", luks2_validate_digests);
		check_all(findings, offset, metadata, luks2_validate_segments);
		/* With a reencryption, the keyslots depend on each other. */
		if (luks2_online_reencrypt_count(metadata))
			check_all(findings, offset, metadata, luks2_validate_keyslots);
		else
			check_each(findings, offset, metadata, "keyslots", luks2_validate_keyslots);
		if (check_all(findings, offset, metadata, luks2_validate_config))
			check_all(findings, offset, metadata, luks2_validate_areas);
	}
	if (findings->count == before)
		find_rule(findings, offset, &first);
}
