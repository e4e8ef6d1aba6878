/* SPDX-License-Identifier: MIT */
/* Tokens: kept as they come, whatever their type. */
#include "luks2/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/model.h"
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

static enum mortise_code link_to(struct json_object *token, int keyslot,
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

/* luks2-keyring is the one type with rules that cryptsetup keeps itself. */
static bool type_acceptable(struct json_object *token)
{
	const char *type = luks2_json_text(token, "type");

	if (!type)
		return false;
	if (!strcmp(type, "luks2-keyring"))
		return json_object_object_length(token) == 3 &&
		       luks2_json_text(token, "key_description");
	return strncmp(type, "luks2-", 6);
}

enum mortise_code luks2_token_stage(struct luks2_update *update,
				    const struct mortise_token_import *how,
				    struct json_object *token, int *id, struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(update->metadata, "keyslots", json_type_object);
	struct json_object *tokens = luks2_json_get(update->metadata, "tokens", json_type_object);
	enum mortise_code code = choose_id(tokens, how, id, err);

	if (!code && how->unlinked && !luks2_json_add(token, "keyslots", json_object_new_array()))
		code = error_memory(err);
	else if (!code && how->keyslot != MORTISE_ANY)
		code = link_to(token, how->keyslot, keyslots, err);
	if (!code &&
	    (!type_acceptable(token) ||
	     !luks2_references_valid(luks2_json_get(token, "keyslots", json_type_array), keyslots)))
		code = error_set(
			err, MORTISE_E_USAGE, 0,
			"a token needs a type (not an unknown one that starts with "
			"\"luks2-\") and keyslots, an array of the ids of existing keyslots");
	if (code) {
		json_object_put(token);
		return code;
	}
	if (!luks2_json_add_id(tokens, *id, token))
		return error_memory(err);
	return MORTISE_OK;
}

enum mortise_code mortise_token_import(struct mortise_luks2 *header,
				       const struct mortise_token_import *how, const char *json,
				       size_t size, int *imported, struct mortise_error *err)
{
	struct mortise_token_import wanted;
	struct json_tokener *tokener;
	struct json_object *token = NULL;
	struct luks2_update update;
	enum mortise_code code;
	int id = 0;

	code = sized_input(SIZED(mortise_token_import), &wanted, how, err);
	if (code)
		return code;
	tokener = json_tokener_new_ex(LUKS2_JSON_DEPTH);
	if (tokener && size <= LUKS2_COPY_SIZE_MAX)
		token = json_tokener_parse_ex(tokener, json, (int)size);
	if (tokener)
		json_tokener_free(tokener);
	if (!json_object_is_type(token, json_type_object)) {
		json_object_put(token);
		return error_set(err, MORTISE_E_USAGE, 0, "a token is a JSON object");
	}
	code = luks2_usable(header->metadata, err);
	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code) {
		json_object_put(token);
		return code;
	}
	code = luks2_token_stage(&update, &wanted, token, &id, err);
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	code = luks2_update_commit(&update, err);
	if (!code && imported)
		*imported = id;
	return code;
}

static enum mortise_code find(const struct mortise_luks2 *header, int id,
			      struct json_object **token, struct mortise_error *err)
{
	struct json_object *tokens = luks2_json_get(header->metadata, "tokens", json_type_object);

	if (id < 0 || id >= (int)MORTISE_TOKENS_MAX)
		return error_set(err, MORTISE_E_NO_TOKEN, 0, "Token %d is invalid.", id);
	*token = luks2_json_get_id(tokens, id);
	if (!*token)
		return error_set(err, MORTISE_E_NO_TOKEN, 0, "Token %d is not in use.", id);
	return MORTISE_OK;
}

enum mortise_code mortise_token_export(const struct mortise_luks2 *header, int id, char **json,
				       struct mortise_error *err)
{
	struct json_object *token;
	enum mortise_code code = find(header, id, &token, err);
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
	struct json_object *token;
	struct luks2_update update;
	enum mortise_code code = luks2_usable(header->metadata, err);

	if (!code)
		code = find(header, id, &token, err);
	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	luks2_json_remove_id(luks2_json_get(update.metadata, "tokens", json_type_object), id);
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_token_info(const struct mortise_luks2 *header, int id,
				     struct mortise_token_info *info, struct mortise_error *err)
{
	struct json_object *token, *links;
	enum mortise_code code = find(header, id, &token, err);
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
