/* SPDX-License-Identifier: MIT */
/* Keys that systemd-cryptenroll has sealed by a TPM, and their PINs. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "keys/hash.h"
#include "keys/kdf.h"
#include "luks2/metadata.h"
#include "volume/sealed.h"

#define PIN_ITERATIONS 10000u /* of a PIN with a salt, since systemd 253 */

static struct keys_bytes bytes_of(const struct mortise_secret *secret)
{
	return (struct keys_bytes){ mortise_secret_data(secret), mortise_secret_size(secret) };
}

/* The base64 text of PBKDF2 replaces a PIN that has a salt. */
static enum mortise_code stretch(const struct mortise_secret *pin, struct keys_bytes salt,
				 struct mortise_secret **out, struct mortise_error *err)
{
	const struct mortise_kdf kdf = { MORTISE_KDF_PBKDF2, "sha256", PIN_ITERATIONS, 0, 0 };
	uint8_t key[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code = keys_kdf_derive(&kdf, NULL, pin, salt, key, sizeof(key), err);

	if (!code)
		code = volume_as_passphrase(key, sizeof(key), out, err);
	secret_wipe(key, sizeof(key));
	return code;
}

enum mortise_code volume_systemd_pin(const struct mortise_secret *pin, const uint8_t *salt,
				     size_t salt_size, struct mortise_secret **auth,
				     struct mortise_error *err)
{
	struct mortise_secret *stretched = NULL;
	enum mortise_code code = mortise_secret_new(KEYS_TPM_DIGEST_SIZE, auth, err);
	struct keys_bytes text = bytes_of(pin);

	if (!code && salt_size)
		code = stretch(pin, (struct keys_bytes){ salt, salt_size }, &stretched, err);
	if (stretched)
		text = bytes_of(stretched);
	if (!code)
		code = keys_sha256(&text, 1, mortise_secret_writable(*auth), err);
	if (code)
		mortise_secret_free(auth);
	mortise_secret_free(&stretched);
	return code;
}

/* The key is in the token, and the signatures are in a file of the boot image. */
static enum mortise_code get_policy(const struct mortise_key_sources *sources,
				    const struct volume_systemd *token,
				    struct keys_tpm_signed_policy **policy,
				    struct mortise_error *err)
{
	enum mortise_code code;

	*policy = calloc(1, sizeof(**policy));
	if (!*policy)
		return error_memory(err);
	(*policy)->pcrs = token->signed_pcrs;
	(*policy)->bank = token->object.bank;
	code = keys_tpm_public_key((const char *)token->pem, token->pem_size, *policy, err);
	return code ? code : volume_signatures_read(sources->tpm_policy, *policy, err);
}

enum mortise_code volume_systemd_get(const struct mortise_key_sources *sources,
				     struct json_object *metadata, int id,
				     struct mortise_secret **passphrase, struct mortise_error *err)
{
	struct keys_tpm tpm = { .tcti = sources->tcti, .events = sources->events };
	struct mortise_secret *bytes = NULL, *pin = NULL;
	struct keys_tpm_signed_policy *policy = NULL;
	struct volume_systemd token;
	uint32_t changed;
	enum mortise_code code =
		volume_token_systemd_read(luks2_token_get(metadata, id), &token, err);

	if (!code && token.object.pin && !sources->tpm_pin)
		code = error_set(err, MORTISE_E_PIN, 0, "it needs a PIN");
	if (!code && token.object.pin)
		code = volume_systemd_pin(sources->tpm_pin, token.salt, token.salt_size, &pin, err);
	if (!code && token.signed_pcrs)
		code = get_policy(sources, &token, &policy, err);
	tpm.policy = policy;
	tpm.pin = pin;
	if (!code)
		code = keys_tpm_unseal(&tpm, &token.object, &bytes, &changed, err);
	if (!code)
		code = volume_as_passphrase(mortise_secret_data(bytes), mortise_secret_size(bytes),
					    passphrase, err);
	mortise_secret_free(&bytes);
	mortise_secret_free(&pin);
	free(policy);
	return code;
}
