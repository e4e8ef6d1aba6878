/* SPDX-License-Identifier: MIT */
/* Unsealing. The order of the steps makes it possible to distinguish causes of failures. */
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/operations.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/session.h"
#include "keys/sources/tpm/signed.h"
#include "keys/sources/tpm/stale.h"
#include "base/secret.h"

#define IDENTITY_PCR (UINT32_C(1) << KEYS_TPM_IDENTITY_PCR)

static enum mortise_code check_name(const struct keys_tpm_object *object, const TPM2B_NAME *name,
				    struct mortise_error *err)
{
	if (object->key_name_size == 2u + name->size &&
	    !memcmp(object->key_name + 2, name->name, name->size))
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_STALE, 0,
		"it was sealed by another TPM, or the TPM was cleared since (srk name does "
		"not match)");
}

enum mortise_code keys_tpm_load_object(struct keys_tpm_context *context, ESYS_TR primary,
				       ESYS_TR session, const struct keys_tpm_object *object,
				       ESYS_TR *item, struct mortise_error *err)
{
	TPM2B_PRIVATE private = { 0 };
	TPM2B_PUBLIC public = { 0 };
	TSS2_RC rc;

	rc = context->library.Tss2_MU_TPM2B_PRIVATE_Unmarshal(object->private_blob,
							      object->private_size, NULL, &private);
	if (!rc)
		rc = context->library.Tss2_MU_TPM2B_PUBLIC_Unmarshal(
			object->public_blob, object->public_size, NULL, &public);
	if (rc)
		return error_set(err, MORTISE_E_STALE, 0,
				 "the token contains no sealed object of a TPM 2.0 (0x%08x)", rc);
	do
		rc = context->library.Esys_Load(context->esys, primary, session, ESYS_TR_NONE,
						ESYS_TR_NONE, &private, &public, item);
	while (keys_tpm_again(context, rc));
	/* Only the TPM can check the format of the private blob. */
	if (keys_tpm_reason(rc) == TPM2_RC_SIZE || keys_tpm_reason(rc) == TPM2_RC_INSUFFICIENT)
		return error_set(
			err, MORTISE_E_STALE, 0,
			"the token contains no sealed object of a TPM 2.0 (TPM2_Load: 0x%08x)", rc);
	if (rc)
		return keys_tpm_failed(rc, "TPM2_Load", err);
	keys_tpm_keep(context, *item);
	return MORTISE_OK;
}

/* Satisfies the policy of object in session, or reports why this is impossible. */
static enum mortise_code
satisfy_policy(struct keys_tpm_context *context, const struct keys_tpm_signed_policy *policy,
	       const struct keys_tpm_object *object, ESYS_TR session,
	       const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE], uint32_t *changed,
	       struct mortise_error *err)
{
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code = MORTISE_OK;

	if (policy)
		code = keys_tpm_authorize(context, policy, session, err);
	if (!code && object->pcrs)
		code = keys_tpm_policy_pcr(context, session, object->bank, object->pcrs, err);
	if (!code)
		code = keys_tpm_session_digest(context, session, digest, err);
	if (code)
		return code;
	if (memcmp(digest, object->policy_hash, KEYS_TPM_DIGEST_SIZE))
		return keys_tpm_stale(object, policy, values, changed, err);
	return MORTISE_OK;
}

/* ESYS decrypts the response in its receive buffer, and frees this buffer without wiping it. */
static void wipe_answer(const struct keys_tpm_context *context)
{
	TSS2_SYS_CONTEXT *sys = NULL;
	const uint8_t *answer = NULL;
	size_t size = 0;

	if (!context->library.Esys_GetSysContext(context->esys, &sys) &&
	    !context->library.Tss2_Sys_GetRpBuffer(sys, &size, &answer))
		secret_wipe((void *)(uintptr_t)answer, size);
}

enum mortise_code keys_tpm_unseal_item(struct keys_tpm_context *context, ESYS_TR item,
				       ESYS_TR policy, ESYS_TR encryption,
				       struct mortise_secret **secret, struct mortise_error *err)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	enum mortise_code code;
	TSS2_RC rc;

	do
		rc = context->library.Esys_Unseal(context->esys, item, policy, encryption,
						  ESYS_TR_NONE, &data);
	while (keys_tpm_again(context, rc));
	/* Only an object with a PIN has a password. */
	if (keys_tpm_reason(rc) == TPM2_RC_AUTH_FAIL)
		return error_set(err, MORTISE_E_KEY, 0, "the PIN is wrong");
	if (rc)
		return keys_tpm_failed(rc, "TPM2_Unseal", err);
	wipe_answer(context);
	if (data->size == KEYS_TPM_SECRET_SIZE)
		code = mortise_secret_from(data->buffer, data->size, secret, err);
	else
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "the TPM unsealed %u bytes instead of the %u bytes of a key",
				 data->size, KEYS_TPM_SECRET_SIZE);
	secret_wipe(data, sizeof(*data));
	context->library.Esys_Free(data);
	return code;
}

static enum mortise_code check_policy(const struct keys_tpm_object *object,
				      const struct keys_tpm_signed_policy *policy,
				      struct mortise_error *err)
{
	if (object->signed_policy && !policy)
		return error_set(
			err, MORTISE_E_STALE, 0,
			"it is bound to a signed policy of PCR %u, and this boot image has "
			"none",
			KEYS_TPM_SIGNED_PCR);
	return MORTISE_OK;
}

enum mortise_code keys_tpm_unseal_object(struct keys_tpm_context *context,
					 const struct keys_tpm_signed_policy *policy,
					 const struct mortise_secret *pin,
					 const struct keys_tpm_object *object,
					 struct mortise_secret **secret, uint32_t *changed,
					 struct mortise_error *err)
{
	const uint32_t signed_pcr = object->signed_policy ? UINT32_C(1) << KEYS_TPM_SIGNED_PCR : 0;
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE] = { 0 };
	ESYS_TR primary, encryption, session, item;
	TPM2B_NAME *name = NULL;
	enum mortise_code code;

	if (!object->signed_policy)
		policy = NULL;
	code = check_policy(object, policy, err);
	if (code)
		goto out;
	if (object->systemd)
		return keys_tpm_unseal_systemd(context, policy, pin, object, secret, changed, err);
	code = keys_tpm_pcr_read_any(context, object->pcrs | signed_pcr, values, err);
	if (code)
		goto out;
	code = keys_tpm_pcr_check((object->pcrs & ~IDENTITY_PCR) | signed_pcr, values, err);
	if (code)
		goto out;
	code = keys_tpm_primary(context, &primary, &name, err);
	if (code)
		goto out;
	code = check_name(object, name, err);
	if (code)
		goto out;
	code = keys_tpm_session(context, primary, ESYS_TR_NONE, TPM2_SE_HMAC, TPMA_SESSION_ENCRYPT,
				&encryption, err);
	if (code)
		goto out;
	code = keys_tpm_load_object(context, primary, encryption, object, &item, err);
	if (code)
		goto out;
	code = keys_tpm_session(context, primary, ESYS_TR_NONE, TPM2_SE_POLICY, 0, &session, err);
	if (code)
		goto out;
	code = satisfy_policy(context, policy, object, session, values, changed, err);
	if (code)
		goto out;
	code = keys_tpm_unseal_item(context, item, session, encryption, secret, err);
out:
	context->library.Esys_Free(name);
	return code;
}
