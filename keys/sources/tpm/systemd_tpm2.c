/* SPDX-License-Identifier: MIT */
/*
 * Unsealing what systemd-cryptenroll has sealed. It differs from Talos in the parent of the sealed
 * object, which may also be a persistent key, in PCR banks other than SHA-256, and in PINs.
 */
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "keys/sources/tpm/operations.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/session.h"
#include "keys/sources/tpm/signed.h"
#include "keys/sources/tpm/stale.h"

#define DEFAULT_EXPONENT 65537u
#define PERSISTENT	 0x81u /* first byte of a persistent handle (part 2, section 7.2) */

static enum mortise_code get_parent(struct keys_tpm_context *context,
				    const struct keys_tpm_object *object, ESYS_TR *parent,
				    struct mortise_error *err)
{
	TPM2B_NAME *name = NULL;
	enum mortise_code code;
	TSS2_RC rc;

	if (!object->srk_size) {
		code = keys_tpm_systemd_primary(context, object->rsa, parent, &name, err);
		context->library.Esys_Free(name);
		return code;
	}
	/* The token says what the public key is: sessions fail if the TPM has another one. */
	rc = object->srk[0] == PERSISTENT
		     ? context->library.Esys_TR_Deserialize(context->esys, object->srk,
							    object->srk_size, parent)
		     : TSS2_BASE_RC_BAD_VALUE;
	return rc ? error_set(err, MORTISE_E_SOURCE, 0,
			      "the token has an invalid storage root key (tpm2_srk: 0x%08x)", rc)
		  : MORTISE_OK;
}

static enum mortise_code set_pin(struct keys_tpm_context *context, ESYS_TR item,
				 const struct mortise_secret *pin, struct mortise_error *err)
{
	TPM2B_AUTH auth = { 0 };
	TSS2_RC rc;

	keys_tpm_pin_auth(pin, &auth);
	rc = context->library.Esys_TR_SetAuth(context->esys, item, &auth);
	secret_wipe(&auth, sizeof(auth));
	return rc ? keys_tpm_failed(rc, "Esys_TR_SetAuth", err) : MORTISE_OK;
}

/* Satisfies the policy in session, as far as it is known before the PIN is checked. */
static enum mortise_code satisfy(struct keys_tpm_context *context,
				 const struct keys_tpm_signed_policy *policy,
				 const struct keys_tpm_object *object, ESYS_TR session,
				 uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				 struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	TSS2_RC rc = 0;

	if (policy)
		code = keys_tpm_authorize(context, policy, session, err);
	if (!code && object->pcrs)
		code = keys_tpm_policy_pcr(context, session, object->bank, object->pcrs, err);
	if (code)
		return code;
	if (object->pin)
		do
			rc = context->library.Esys_PolicyAuthValue(
				context->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
		while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_PolicyAuthValue", err);
	return keys_tpm_session_digest(context, session, digest, err);
}

/*
 * Starts a session that satisfies the policy. In names of RSA keys, systemd writes the usual
 * exponent as a number, and other versions of systemd as 0.
 */
static enum mortise_code start_policy(struct keys_tpm_context *context, ESYS_TR parent,
				      const struct keys_tpm_signed_policy *policy,
				      const struct keys_tpm_object *object, ESYS_TR *session,
				      uint32_t *changed, struct mortise_error *err)
{
	static const uint8_t unknown[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
	const unsigned kept = context->kept_count;
	struct keys_tpm_signed_policy other;
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code;

	for (;;) {
		code = keys_tpm_session(context, parent, ESYS_TR_NONE, TPM2_SE_POLICY, 0, session,
					err);
		if (!code)
			code = satisfy(context, policy, object, *session, digest, err);
		if (code || !memcmp(digest, object->policy_hash, sizeof(digest)))
			return code;
		if (!policy || policy->exponent != DEFAULT_EXPONENT)
			return keys_tpm_stale(object, policy, unknown, changed, err);
		keys_tpm_flush(context, kept);
		other = *policy;
		other.exponent = 0;
		policy = &other;
	}
}

enum mortise_code keys_tpm_unseal_systemd(struct keys_tpm_context *context,
					  const struct keys_tpm_signed_policy *policy,
					  const struct mortise_secret *pin,
					  const struct keys_tpm_object *object,
					  struct mortise_secret **secret, uint32_t *changed,
					  struct mortise_error *err)
{
	static const TPM2B_AUTH no_pin;
	ESYS_TR parent, item = ESYS_TR_NONE, session = ESYS_TR_NONE, encryption;
	enum mortise_code code;

	code = get_parent(context, object, &parent, err);
	if (!code)
		code = keys_tpm_load_object(context, parent, ESYS_TR_PASSWORD, object, &item, err);
	if (!code)
		code = start_policy(context, parent, policy, object, &session, changed, err);
	if (!code && object->pin)
		code = set_pin(context, item, pin, err);
	/* Bound to the PIN: a fake TPM on the bus does not learn the secret. */
	if (!code)
		code = keys_tpm_session(context, parent, object->pin ? item : ESYS_TR_NONE,
					TPM2_SE_HMAC, TPMA_SESSION_ENCRYPT, &encryption, err);
	if (!code)
		code = keys_tpm_unseal_item(context, item, session, encryption, secret, err);
	/* Esys_Finalize() frees the PIN without wiping it. */
	if (object->pin && item != ESYS_TR_NONE)
		(void)context->library.Esys_TR_SetAuth(context->esys, item, &no_pin);
	return code;
}
