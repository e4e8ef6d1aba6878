/* SPDX-License-Identifier: MIT */
/* Tokens. Types other than luks2-keyring are stored unchanged. */
#include "luks2/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/private.h"
#include "luks2/validate.h"

static enum mortise_code choose_id(struct json_object *tokens,
				   const struct mortise_token_import *how, int *id,
				   struct mortise_error *err)
{
	*id = how->token;
	if (*id == MORTISE_ANY) {
		for (*id = 0; *id < (int)MORTISE_TOKENS_MAX; ++*id)
			if (!luks2_json_get_id(tokens, *id))
				return MORTISE_OK;
		return error_set(err, MORTISE_E_NO_SPACE, 0, "all %u tokens are in use",
				 MORTISE_TOKENS_MAX);
	}
	if (*id < 0 || *id >= (int)MORTISE_TOKENS_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "Token %d is invalid.", *id);
	if (luks2_json_get_id(tokens, *id) && !how->replace)
		return error_set(err, MORTISE_E_USAGE, 0, "Token %d in use.", *id);
	return MORTISE_OK;
}

static enum mortise_code set_keyslot_link(struct json_object *token, int keyslot,
					  struct json_object *keyslots, struct mortise_error *err)
{
	struct json_object *links = json_object_new_array();
	char text[12];

	if (!luks2_json_get_id(keyslots, keyslot)) {
		json_object_put(links);
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.",
				 keyslot);
	}
	snprintf(text, sizeof(text), "%d", keyslot);
	if (!luks2_json_add(token, "keyslots", links) ||
	    !luks2_json_append(links, json_object_new_string(text)))
		return error_memory(err);
	return MORTISE_OK;
}

/* As cryptsetup: it checks luks2-keyring itself and reserves the other "luks2-" types. */
static bool is_type_allowed(struct json_object *token)
{
	const char *type = luks2_json_text(token, "type");

	if (!type)
		return false;
	if (!strcmp(type, "luks2-keyring"))
		return json_object_object_length(token) == 3 &&
		       luks2_json_text(token, "key_description");
	return strncmp(type, "luks2-", 6);
}

static enum mortise_code set_links(struct json_object *token,
				   const struct mortise_token_import *how,
				   struct json_object *keyslots, struct mortise_error *err)
{
	if (how->unlinked)
		return luks2_json_add(token, "keyslots", json_object_new_array())
			       ? MORTISE_OK
			       : error_memory(err);
	if (how->keyslot != MORTISE_ANY)
		return set_keyslot_link(token, how->keyslot, keyslots, err);
	return MORTISE_OK;
}

enum mortise_code luks2_token_stage(struct luks2_update *update,
				    const struct mortise_token_import *how,
				    struct json_object *token, int *id, struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(update->metadata, "keyslots", json_type_object);
	struct json_object *tokens = luks2_tokens(update->metadata);
	enum mortise_code code;

	code = choose_id(tokens, how, id, err);
	if (code)
		goto out;
	code = set_links(token, how, keyslots, err);
	if (code)
		goto out;
	if (!is_type_allowed(token) ||
	    !luks2_references_valid(luks2_json_get(token, "keyslots", json_type_array), keyslots)) {
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "invalid token: it needs a type (\"luks2-\" types other than "
				 "luks2-keyring are reserved) and keyslots, an array of ids of "
				 "existing keyslots");
		goto out;
	}
	if (!luks2_json_add_id(tokens, *id, token))
		code = error_memory(err);
	token = NULL;
out:
	json_object_put(token);
	return code;
}

static enum mortise_code parse_token(const char *json, size_t size, struct json_object **token,
				     struct mortise_error *err)
{
	const char *why = "too long";
	size_t end;

	*token = size <= LUKS2_COPY_SIZE_MAX ? luks2_json_parse(json, size, &end, &why) : NULL;
	if (json_object_is_type(*token, json_type_object))
		return MORTISE_OK;
	if (*token)
		why = "not a JSON object";
	json_object_put(*token);
	*token = NULL;
	return error_set(err, MORTISE_E_USAGE, 0, "invalid token: %s", why);
}

enum mortise_code mortise_token_import(struct mortise_luks2 *header,
				       const struct mortise_token_import *how, const char *json,
				       size_t size, int *imported, struct mortise_error *err)
{
	struct mortise_token_import wanted;
	struct luks2_update *update = NULL;
	struct json_object *token = NULL;
	enum mortise_code code;
	int id = 0;

	code = sized_input(SIZED(mortise_token_import), &wanted, how, err);
	if (code)
		return code;
	code = parse_token(json, size, &token, err);
	if (code)
		return code;
	code = luks2_usable(header->metadata, err);
	if (code)
		goto out;
	code = luks2_update_begin(header, &update, err);
	if (code)
		goto out;
	code = luks2_token_stage(update, &wanted, json_object_get(token), &id, err);
	if (code)
		goto out;
	code = luks2_update_commit(&update, err);
	if (!code && imported)
		*imported = id;
out:
	luks2_update_abort(&update);
	json_object_put(token);
	return code;
}

/* Through the text, so that the description is checked like that of an imported token. */
enum mortise_code mortise_token_add_keyring(struct mortise_luks2 *header,
					    const struct mortise_token_import *how,
					    const char *key_description, int *added,
					    struct mortise_error *err)
{
	struct json_object *token = json_object_new_object(), *links = json_object_new_array();
	const char *text = NULL;
	enum mortise_code code;

	if (luks2_json_add(token, "type", json_object_new_string("luks2-keyring")) &&
	    luks2_json_add(token, "keyslots", links) &&
	    luks2_json_add(token, "key_description", json_object_new_string(key_description))) {
		for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
			if (luks2_keyslot_in_use(header->metadata, id) &&
			    !luks2_json_append(links, luks2_json_new_decimal((uint64_t)id)))
				goto out;
		text = luks2_json_plain(token);
	}
out:
	code = text ? mortise_token_import(header, how, text, strlen(text), added, err)
		    : error_memory(err);
	json_object_put(token);
	return code;
}

static enum mortise_code find_token(const struct mortise_luks2 *header, int id,
				    struct json_object **token, struct mortise_error *err)
{
	if (id < 0 || id >= (int)MORTISE_TOKENS_MAX)
		return error_set(err, MORTISE_E_NO_TOKEN, 0, "Token %d is invalid.", id);
	*token = luks2_token_get(header->metadata, id);
	if (!*token)
		return error_set(err, MORTISE_E_NO_TOKEN, 0, "Token %d is not in use.", id);
	return MORTISE_OK;
}

enum mortise_code mortise_token_export(const struct mortise_luks2 *header, int id, char **json,
				       struct mortise_error *err)
{
	struct json_object *token;
	enum mortise_code code = find_token(header, id, &token, err);
	const char *text;

	if (code)
		return code;
	text = luks2_json_plain(token);
	*json = text ? strdup(text) : NULL;
	if (!*json)
		return error_memory(err);
	return MORTISE_OK;
}

enum mortise_code mortise_token_remove(struct mortise_luks2 *header, int id,
				       struct mortise_error *err)
{
	struct luks2_update *update;
	struct json_object *token;
	enum mortise_code code;

	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = find_token(header, id, &token, err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	luks2_json_remove_id(luks2_tokens(update->metadata), id);
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_token_assign(struct mortise_luks2 *header, int id, int keyslot,
				       bool assigned, struct mortise_error *err)
{
	struct json_object *token, *links;
	struct luks2_update *update;
	enum mortise_code code;
	char text[12];

	snprintf(text, sizeof(text), "%d", keyslot);
	code = luks2_usable(header->metadata, err);
	if (!code)
		code = find_token(header, id, &token, err);
	if (code)
		return code;
	links = luks2_json_get(token, "keyslots", json_type_array);
	if (assigned && !luks2_keyslot_in_use(header->metadata, keyslot))
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.",
				 keyslot);
	if (luks2_json_array_has(links, text) == assigned)
		return assigned ? MORTISE_OK
				: error_set(err, MORTISE_E_NO_KEYSLOT, 0,
					    "Token %d is not assigned to keyslot %d.", id, keyslot);
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	links = luks2_json_get(luks2_token_get(update->metadata, id), "keyslots", json_type_array);
	if (!assigned)
		luks2_json_array_remove(links, text);
	else if (!luks2_json_append(links, json_object_new_string(text)))
		code = error_memory(err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

enum mortise_code mortise_token_info(const struct mortise_luks2 *header, int id,
				     struct mortise_token_info *info, struct mortise_error *err)
{
	struct json_object *token, *links;
	enum mortise_code code = find_token(header, id, &token, err);
	struct mortise_token_info filled;
	const char *description;

	if (code)
		return code;
	links = luks2_json_get(token, "keyslots", json_type_array);
	description = luks2_json_text(token, "key_description");
	filled = (struct mortise_token_info){ .type = luks2_json_text(token, "type") };
	filled.key_description =
		description && !strcmp(filled.type, "luks2-keyring") ? description : "";
	for (int keyslot = 0; keyslot < (int)MORTISE_KEYSLOTS_MAX; keyslot++) {
		char text[12];

		snprintf(text, sizeof(text), "%d", keyslot);
		if (luks2_json_array_has(links, text))
			filled.keyslots |= 1u << keyslot;
	}
	return sized_output(SIZED(mortise_token_info), info, &filled, err);
}
