/* SPDX-License-Identifier: MIT */
/* Removing a keyslot, with the token and the record that are useless without it. */
#include <string.h>

#include "luks2/keyslot.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "volume/record.h"
#include "volume/sealed.h"

/* Tokens of other programs stay, as in cryptsetup: these programs remove them. */
static void forget_keyslot(struct json_object *metadata, int id)
{
	struct json_object *tokens = luks2_tokens(metadata);

	volume_record_forget_key(metadata, id);
	volume_token_drop(metadata, id);
	for (int token = 0; token < (int)MORTISE_TOKENS_MAX; token++) {
		struct json_object *object = luks2_json_get_id(tokens, token);
		const char *type = luks2_json_text(object, "type");

		if (type && !strcmp(type, VOLUME_TOKEN_RECOVERY) &&
		    !json_object_array_length(luks2_json_get(object, "keyslots", json_type_array)))
			luks2_json_remove_id(tokens, token);
	}
}

enum mortise_code mortise_keyslot_remove(struct mortise_luks2 *header, int id,
					 struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code;

	code = luks2_usable(luks2_header_metadata(header), err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	code = luks2_keyslot_stage_removal(update, id, true, err);
	if (!code) {
		forget_keyslot(luks2_update_metadata(update), id);
		code = luks2_update_commit(&update, err);
	}
	luks2_update_abort(&update);
	return code;
}

enum mortise_code mortise_keyslot_remove_all(struct mortise_luks2 *header,
					     struct mortise_error *err)
{
	enum mortise_code code = luks2_usable(luks2_header_metadata(header), err);

	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (luks2_keyslot_opens_data(luks2_header_metadata(header), id))
			code = mortise_keyslot_remove(header, id, err);
	return code;
}
