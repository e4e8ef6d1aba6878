/* SPDX-License-Identifier: MIT */
/* Tokens of type systemd-tpm2 as JSON: systemd 248 to 257. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/hex.h"
#include "luks2/metadata.h"
#include "volume/sealed.h"

static const struct {
	uint16_t bank; /* TPM_ALG_ID (TCG Algorithm Registry) */
	const char *name;
} banks[] = {
	{ 0x000b, "sha256" }, { 0x0004, "sha1" }, { 0x000c, "sha384" }, { 0x000d, "sha512" }
};

#define BANKS (sizeof(banks) / sizeof(*banks))

const char *volume_pcr_bank_name(uint16_t bank)
{
	for (size_t i = 0; i < BANKS; i++)
		if (banks[i].bank == (bank ? bank : banks[0].bank))
			return banks[i].name;
	return NULL;
}

static bool read_bank(struct json_object *token, uint16_t *bank)
{
	const char *name = luks2_json_text(token, "tpm2-pcr-bank");

	/* systemd before 250 used SHA-256 alone. */
	for (size_t i = 0; i < BANKS; i++)
		if (!strcasecmp(banks[i].name, name ? name : banks[0].name)) {
			*bank = banks[i].bank;
			return true;
		}
	return false;
}

/* A missing array is empty. */
static bool read_pcrs(struct json_object *token, const char *key, uint32_t *pcrs)
{
	struct json_object *array = NULL;

	*pcrs = 0;
	return !json_object_object_get_ex(token, key, &array) || volume_token_pcrs(array, pcrs);
}

static bool read_flag(struct json_object *token, const char *key)
{
	return json_object_get_boolean(luks2_json_get(token, key, json_type_boolean));
}

/* Bytes of a structure with a size field of two bytes; 0: it is longer than room. */
static size_t sized(const uint8_t *bytes, size_t room)
{
	const size_t size = room < 2 ? 0 : 2u + ((size_t)bytes[0] << 8 | bytes[1]);

	return size <= room ? size : 0;
}

/*
 * A TPM2B_PRIVATE, then a TPM2B_PUBLIC. A third structure follows if another machine has sealed it
 * (systemd-cryptenroll --tpm2-device-key).
 */
static const char *read_blob(struct json_object *token, struct keys_tpm_object *object)
{
	uint8_t blob[2 * KEYS_TPM_BLOB_MAX];
	size_t size = sizeof(blob), first, second;

	if (!luks2_json_base64(token, "tpm2-blob", blob, &size))
		return "has no valid tpm2-blob";
	first = sized(blob, size);
	second = sized(blob + first, size - first);
	if (!first || !second || first > KEYS_TPM_BLOB_MAX || second > KEYS_TPM_BLOB_MAX)
		return "has no valid tpm2-blob";
	if (first + second != size)
		return "was sealed on another machine (--tpm2-device-key); use systemd-cryptsetup";
	memcpy(object->private_blob, blob, first);
	memcpy(object->public_blob, blob + first, second);
	object->private_size = first;
	object->public_size = second;
	return NULL;
}

/* Optional members that are base64. */
static bool read_bytes(struct json_object *token, const char *key, uint8_t *bytes, size_t *size)
{
	if (json_object_object_get_ex(token, key, NULL))
		return luks2_json_base64(token, key, bytes, size);
	*size = 0;
	return true;
}

/* Members of bindings that only systemd supports. */
static const char *find_unsupported(struct json_object *token)
{
	if (read_flag(token, "tpm2_pcrlock"))
		return "is bound to a policy of systemd-pcrlock (tpm2_pcrlock)";
	if (luks2_json_get(token, "tpm2-blob", json_type_array))
		return "has several sealed objects";
	if (luks2_json_get(token, "tpm2-policy-hash", json_type_array))
		return "has several policies";
	return NULL;
}

static const char *read_members(struct json_object *token, struct volume_systemd *out)
{
	struct keys_tpm_object *object = &out->object;
	const char *hash = luks2_json_text(token, "tpm2-policy-hash");
	const char *alg = luks2_json_text(token, "tpm2-primary-alg");

	object->systemd = true;
	object->pin = read_flag(token, "tpm2-pin");
	object->rsa = alg && !strcasecmp(alg, "rsa");
	object->srk_size = sizeof(object->srk);
	out->salt_size = sizeof(out->salt);
	out->pem_size = sizeof(out->pem);
	if (!hash || !hex_decode(hash, object->policy_hash, sizeof(object->policy_hash)))
		return "has no SHA-256 tpm2-policy-hash";
	if (alg && !object->rsa && strcasecmp(alg, "ecc"))
		return "has an unknown tpm2-primary-alg";
	if (!read_bank(token, &object->bank))
		return "has an unknown tpm2-pcr-bank";
	if (!read_pcrs(token, "tpm2-pcrs", &object->pcrs) ||
	    !read_pcrs(token, "tpm2_pubkey_pcrs", &out->signed_pcrs))
		return "has an invalid list of PCRs";
	if (!read_bytes(token, "tpm2_srk", object->srk, &object->srk_size))
		return "has an invalid tpm2_srk";
	if (!read_bytes(token, "tpm2_salt", out->salt, &out->salt_size))
		return "has an invalid tpm2_salt";
	if (!read_bytes(token, "tpm2_pubkey", out->pem, &out->pem_size) ||
	    (out->signed_pcrs && !out->pem_size))
		return "has no valid tpm2_pubkey";
	object->signed_policy = out->signed_pcrs;
	return read_blob(token, object);
}

enum mortise_code volume_token_systemd_read(struct json_object *token, struct volume_systemd *out,
					    struct mortise_error *err)
{
	const char *type = luks2_json_text(token, "type"), *why;

	memset(out, 0, sizeof(*out));
	if (!type || strcmp(type, VOLUME_TOKEN_SYSTEMD))
		return error_set(err, MORTISE_E_NO_TOKEN, 0,
				 "its token of type " VOLUME_TOKEN_SYSTEMD " is missing");
	why = find_unsupported(token);
	if (why)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "it %s, which mortise does not support; use systemd-cryptsetup",
				 why);
	why = read_members(token, out);
	return why ? error_set(err, MORTISE_E_SOURCE, 0, "it %s", why) : MORTISE_OK;
}

int volume_token_systemd_of(struct json_object *metadata, int keyslot)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", keyslot);
	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++) {
		struct json_object *token = luks2_token_get(metadata, id);
		struct json_object *keyslots = luks2_json_get(token, "keyslots", json_type_array);
		const char *type = luks2_json_text(token, "type");

		if (type && !strcmp(type, VOLUME_TOKEN_SYSTEMD) && keyslots &&
		    json_object_array_length(keyslots) == 1 && luks2_json_array_has(keyslots, text))
			return id;
	}
	return -1;
}

enum mortise_code volume_token_binding(struct json_object *metadata, int keyslot,
				       struct keys_tpm_object *object, struct mortise_error *err)
{
	const int id = volume_token_systemd_of(metadata, keyslot);
	struct volume_systemd token;
	/* A caller may look at err alone: it stays as it is if the second token is valid. */
	enum mortise_code code = volume_token_tpm_read(luks2_token_get(metadata, keyslot), object,
						       id < 0 ? err : NULL);

	if (code != MORTISE_E_NO_TOKEN || id < 0)
		return code;
	code = volume_token_systemd_read(luks2_token_get(metadata, id), &token, err);
	*object = token.object;
	return code;
}

static struct json_object *new_base64(const uint8_t *bytes, size_t size)
{
	char text[BASE64_ROOM(VOLUME_PEM_MAX)];

	_Static_assert(2 * KEYS_TPM_BLOB_MAX <= VOLUME_PEM_MAX, "a blob fits");
	base64_encode(bytes, size, text);
	return json_object_new_string(text);
}

static struct json_object *new_pcrs(uint32_t pcrs)
{
	struct json_object *array = json_object_new_array();

	for (int pcr = 0; pcr < (int)MORTISE_PCRS; pcr++)
		if ((pcrs & UINT32_C(1) << pcr) &&
		    !luks2_json_append(array, json_object_new_int(pcr))) {
			json_object_put(array);
			return NULL;
		}
	return array;
}

static struct json_object *new_blob(const struct keys_tpm_object *object)
{
	uint8_t blob[2 * KEYS_TPM_BLOB_MAX];

	memcpy(blob, object->private_blob, object->private_size);
	memcpy(blob + object->private_size, object->public_blob, object->public_size);
	return new_base64(blob, object->private_size + object->public_size);
}

static struct json_object *new_hex(const uint8_t hash[static KEYS_TPM_DIGEST_SIZE])
{
	char text[2 * KEYS_TPM_DIGEST_SIZE + 1];

	for (size_t i = 0; i < KEYS_TPM_DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return json_object_new_string(text);
}

/* The members are in the order in which systemd writes them. */
static bool fill(struct json_object *token, const struct volume_systemd *what, int keyslot)
{
	const struct keys_tpm_object *object = &what->object;
	struct json_object *keyslots = json_object_new_array();

	return luks2_json_add(token, "type", json_object_new_string(VOLUME_TOKEN_SYSTEMD)) &&
	       luks2_json_add(token, "keyslots", keyslots) &&
	       luks2_json_append(keyslots, luks2_json_new_decimal((uint64_t)keyslot)) &&
	       luks2_json_add(token, "tpm2-blob", new_blob(object)) &&
	       luks2_json_add(token, "tpm2-pcrs", new_pcrs(object->pcrs)) &&
	       luks2_json_add(token, "tpm2-pcr-bank",
			      json_object_new_string(volume_pcr_bank_name(object->bank))) &&
	       luks2_json_add(token, "tpm2-primary-alg",
			      json_object_new_string(object->rsa ? "rsa" : "ecc")) &&
	       luks2_json_add(token, "tpm2-policy-hash", new_hex(object->policy_hash)) &&
	       luks2_json_add(token, "tpm2-pin", json_object_new_boolean(object->pin)) &&
	       (!what->signed_pcrs ||
		(luks2_json_add(token, "tpm2_pubkey_pcrs", new_pcrs(what->signed_pcrs)) &&
		 luks2_json_add(token, "tpm2_pubkey", new_base64(what->pem, what->pem_size))));
}

struct json_object *volume_token_systemd_new(const struct volume_systemd *what, int keyslot)
{
	struct json_object *token = json_object_new_object();

	if (fill(token, what, keyslot))
		return token;
	json_object_put(token);
	return NULL;
}
