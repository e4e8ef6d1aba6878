/* SPDX-License-Identifier: MIT */
/* Token ids: Talos takes token N for the token of keyslot N. And recovery tokens. */
#include <string.h>

#include "base/error.h"
#include "keys/sources/sources.h"
#include "luks2/metadata.h"
#include "volume/sealed.h"

bool volume_token_is_sealed(struct json_object *token)
{
	const char *type = luks2_json_text(token, "type");

	return type && (!strcmp(type, VOLUME_TOKEN_KMS) || !strcmp(type, VOLUME_TOKEN_TPM));
}

int volume_token_free_id(struct json_object *metadata)
{
	int id = (int)MORTISE_TOKENS_MAX - 1;

	while (id >= 0 && luks2_token_get(metadata, id))
		id--;
	return id;
}

/* The ids of other tokens do not matter, but such tokens may be needed to unlock the volume. */
static bool make_way(struct json_object *metadata, int id)
{
	struct json_object *token = luks2_token_get(metadata, id);
	int other;

	if (!token || volume_token_is_sealed(token))
		return true;
	other = volume_token_free_id(metadata);
	if (other < 0 || !luks2_json_add_id(luks2_tokens(metadata), other, json_object_get(token)))
		return false;
	luks2_json_remove_id(luks2_tokens(metadata), id);
	return true;
}

bool volume_token_put(struct json_object *metadata, int id, struct json_object *token)
{
	/* The new key of the keyslot makes the token of its old key useless. */
	if (volume_token_is_sealed(token) && volume_token_systemd_of(metadata, id) >= 0)
		luks2_json_remove_id(luks2_tokens(metadata), volume_token_systemd_of(metadata, id));
	if (make_way(metadata, id))
		return luks2_json_add_id(luks2_tokens(metadata), id, token);
	json_object_put(token);
	return false;
}

void volume_token_drop(struct json_object *metadata, int id)
{
	const int systemd = volume_token_systemd_of(metadata, id);

	if (volume_token_is_sealed(luks2_token_get(metadata, id)))
		luks2_json_remove_id(luks2_tokens(metadata), id);
	if (systemd >= 0)
		luks2_json_remove_id(luks2_tokens(metadata), systemd);
}

uint32_t volume_token_recovery_keyslots(const struct mortise_luks2 *header)
{
	struct mortise_token_info token = { .struct_size = sizeof(token) };
	uint32_t keyslots = 0;

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++)
		if (!mortise_token_info(header, id, &token, NULL) &&
		    !strcmp(token.type, VOLUME_TOKEN_RECOVERY))
			keyslots |= token.keyslots;
	return keyslots;
}

static struct json_object *recovery_token(int keyslot)
{
	struct json_object *token = json_object_new_object(), *keyslots = json_object_new_array();

	if (luks2_json_add(token, "type", json_object_new_string(VOLUME_TOKEN_RECOVERY)) &&
	    luks2_json_add(token, "keyslots", keyslots) &&
	    luks2_json_append(keyslots, luks2_json_new_decimal((uint64_t)keyslot)))
		return token;
	json_object_put(token);
	return NULL;
}

enum mortise_code volume_recovery_new(int keyslot, struct volume_key *key,
				      struct mortise_error *err)
{
	enum mortise_code code;

	memset(key, 0, sizeof(*key));
	code = keys_recovery_new(&key->passphrase, err);
	if (!code && !(key->token = recovery_token(keyslot)))
		code = error_memory(err);
	if (code)
		volume_key_clear(key);
	return code;
}
