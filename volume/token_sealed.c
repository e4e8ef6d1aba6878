/* SPDX-License-Identifier: MIT */
/* The tokens of sealed keys as JSON: sideroKMS and talos-tpm2 of all Talos versions. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "volume/sealed.h"

/* Talos 1.12 and later write this member. */
#define ENCRYPTION_VERSION "1"
#define OLD_LITERAL_PCR	   7 /* Talos before 1.12 always bound to PCR 7 and PCR 11 */

static enum mortise_code no_token(struct mortise_error *err, const char *type, const char *why)
{
	return error_set(err, MORTISE_E_NO_TOKEN, 0, "its token of type %s %s", type, why);
}

/* The member "UserData" of a token of this type, or NULL. */
static struct json_object *user_data(struct json_object *token, const char *type)
{
	const char *is = luks2_json_text(token, "type");

	return is && !strcmp(is, type) ? luks2_json_get(token, "UserData", json_type_object) : NULL;
}

static struct json_object *new_base64(const uint8_t *bytes, size_t size)
{
	char *text = malloc(BASE64_ROOM(size));
	struct json_object *string;

	if (!text)
		return NULL;
	base64_encode(bytes, size, text);
	string = json_object_new_string(text);
	free(text);
	return string;
}

enum mortise_code volume_token_kms_read(struct json_object *token,
					uint8_t sealed[static KEYS_KMS_SEALED_MAX], size_t *size,
					struct mortise_error *err)
{
	struct json_object *data = user_data(token, VOLUME_TOKEN_KMS);

	*size = KEYS_KMS_SEALED_MAX;
	if (!data)
		return no_token(err, VOLUME_TOKEN_KMS, "is missing");
	if (!luks2_json_base64(data, "sealedData", sealed, size) || !*size)
		return no_token(err, VOLUME_TOKEN_KMS, "has no sealedData");
	return MORTISE_OK;
}

struct json_object *volume_token_kms_new(const uint8_t *sealed, size_t size)
{
	struct json_object *token = json_object_new_object(), *data = json_object_new_object();

	if (luks2_json_add(token, "UserData", data) &&
	    luks2_json_add(data, "sealedData", new_base64(sealed, size)) &&
	    luks2_json_add(token, "type", json_object_new_string(VOLUME_TOKEN_KMS)) &&
	    luks2_json_add(token, "keyslots", json_object_new_array()))
		return token;
	json_object_put(token);
	return NULL;
}

bool volume_token_pcrs(struct json_object *array, uint32_t *pcrs)
{
	*pcrs = 0;
	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		int64_t pcr = json_object_get_int64(item);

		if (!json_object_is_type(item, json_type_int) || pcr < 0 || pcr >= MORTISE_PCRS)
			return false;
		*pcrs |= UINT32_C(1) << pcr;
	}
	return true;
}

/* A member that is missing or null is empty. */
static bool read_pcrs(struct json_object *data, const char *key, uint32_t *pcrs)
{
	struct json_object *array = json_object_object_get(data, key);

	*pcrs = 0;
	return !array || volume_token_pcrs(array, pcrs);
}

/* Reads the PCRs of the object, in the form of the Talos version that wrote it. */
static bool read_binding(struct json_object *data, struct keys_tpm_object *object)
{
	const uint32_t signed_only = UINT32_C(1) << KEYS_TPM_SIGNED_PCR;
	const char *version = luks2_json_text(data, "encryption_version");
	uint32_t signed_pcrs;

	if (!read_pcrs(data, "pcrs", &object->pcrs) ||
	    !read_pcrs(data, "pubkey_pcrs", &signed_pcrs))
		return false;
	object->signed_policy = !version || signed_pcrs;
	if (!version)
		object->pcrs = !signed_pcrs && object->pcrs == signed_only
				       ? UINT32_C(1) << OLD_LITERAL_PCR
				       : 0;
	return !signed_pcrs || signed_pcrs == signed_only;
}

enum mortise_code volume_token_tpm_read(struct json_object *token, struct keys_tpm_object *object,
					struct mortise_error *err)
{
	struct json_object *data = user_data(token, VOLUME_TOKEN_TPM);
	size_t hash_size = sizeof(object->policy_hash);
	const char *alg;

	memset(object, 0, sizeof(*object));
	if (!data)
		return no_token(err, VOLUME_TOKEN_TPM, "is missing");
	object->private_size = sizeof(object->private_blob);
	object->public_size = sizeof(object->public_blob);
	object->key_name_size = sizeof(object->key_name);
	if (!luks2_json_base64(data, "sealed_blob_private", object->private_blob,
			       &object->private_size))
		return no_token(err, VOLUME_TOKEN_TPM, "has no sealed_blob_private");
	if (!luks2_json_base64(data, "sealed_blob_public", object->public_blob,
			       &object->public_size))
		return no_token(err, VOLUME_TOKEN_TPM, "has no sealed_blob_public");
	if (!luks2_json_base64(data, "key_name", object->key_name, &object->key_name_size))
		return no_token(err, VOLUME_TOKEN_TPM, "has no key_name");
	if (!luks2_json_base64(data, "policy_hash", object->policy_hash, &hash_size) ||
	    hash_size != sizeof(object->policy_hash))
		return no_token(err, VOLUME_TOKEN_TPM, "has no SHA-256 policy_hash");
	alg = luks2_json_text(data, "alg");
	if (!alg || strcmp(alg, "sha256"))
		return no_token(err, VOLUME_TOKEN_TPM, "uses a PCR bank other than sha256");
	if (!read_binding(data, object))
		return no_token(err, VOLUME_TOKEN_TPM, "has an invalid list of PCRs");
	return MORTISE_OK;
}

/* In ascending order, as a TPM expects them. */
static struct json_object *new_pcrs(uint32_t pcrs)
{
	struct json_object *array = json_object_new_array();

	for (int pcr = 0; array && pcr < (int)MORTISE_PCRS; pcr++)
		if ((pcrs & UINT32_C(1) << pcr) &&
		    !luks2_json_append(array, json_object_new_int(pcr))) {
			json_object_put(array);
			return NULL;
		}
	return array;
}

/* The members are in the order in which Talos writes them. */
static bool fill_tpm(struct json_object *data, const struct keys_tpm_object *object, int keyslot)
{
	struct json_object *keyslots = json_object_new_array();
	const uint32_t signed_pcrs = object->signed_policy ? UINT32_C(1) << KEYS_TPM_SIGNED_PCR : 0;

	return luks2_json_add(data, "keyslots", keyslots) &&
	       luks2_json_append(keyslots, json_object_new_int(keyslot)) &&
	       luks2_json_add(data, "sealed_blob_private",
			      new_base64(object->private_blob, object->private_size)) &&
	       luks2_json_add(data, "sealed_blob_public",
			      new_base64(object->public_blob, object->public_size)) &&
	       (!object->pcrs || luks2_json_add(data, "pcrs", new_pcrs(object->pcrs))) &&
	       luks2_json_add(data, "pubkey_pcrs", new_pcrs(signed_pcrs)) &&
	       luks2_json_add(data, "alg", json_object_new_string("sha256")) &&
	       luks2_json_add(data, "encryption_version",
			      json_object_new_string(ENCRYPTION_VERSION)) &&
	       luks2_json_add(data, "policy_hash",
			      new_base64(object->policy_hash, sizeof(object->policy_hash))) &&
	       luks2_json_add(data, "key_name",
			      new_base64(object->key_name, object->key_name_size));
}

struct json_object *volume_token_tpm_new(const struct keys_tpm_object *object, int keyslot)
{
	struct json_object *token = json_object_new_object(), *data = json_object_new_object();

	if (luks2_json_add(token, "UserData", data) && fill_tpm(data, object, keyslot) &&
	    luks2_json_add(token, "type", json_object_new_string(VOLUME_TOKEN_TPM)) &&
	    luks2_json_add(token, "keyslots", json_object_new_array()))
		return token;
	json_object_put(token);
	return NULL;
}
