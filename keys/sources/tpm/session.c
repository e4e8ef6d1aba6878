/* SPDX-License-Identifier: MIT */
/* Loads objects and starts sessions; keys_tpm_close() flushes all of them. */
#include "keys/sources/tpm/session.h"

#include "base/error.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/template.h"

static enum mortise_code create_primary(struct keys_tpm_context *context,
					const TPM2B_PUBLIC *template, ESYS_TR *primary,
					TPM2B_NAME **name, struct mortise_error *err)
{
	const TPM2B_SENSITIVE_CREATE no_password = { 0 };
	const TPML_PCR_SELECTION no_pcrs = { 0 };
	const TPM2B_DATA no_data = { 0 };
	TSS2_RC rc;

	*name = NULL;
	do
		rc = context->library.Esys_CreatePrimary(
			context->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
			ESYS_TR_NONE, &no_password, template, &no_data, &no_pcrs, primary, NULL,
			NULL, NULL, NULL);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_CreatePrimary", err);
	keys_tpm_keep(context, *primary);
	rc = context->library.Esys_TR_GetName(context->esys, *primary, name);
	return rc ? keys_tpm_failed(rc, "Esys_TR_GetName", err) : MORTISE_OK;
}

enum mortise_code keys_tpm_primary(struct keys_tpm_context *context, ESYS_TR *primary,
				   TPM2B_NAME **name, struct mortise_error *err)
{
	TPM2B_PUBLIC template;

	keys_tpm_srk_template(&template);
	return create_primary(context, &template, primary, name, err);
}

enum mortise_code keys_tpm_systemd_primary(struct keys_tpm_context *context, bool rsa,
					   ESYS_TR *primary, TPM2B_NAME **name,
					   struct mortise_error *err)
{
	TPM2B_PUBLIC template;

	keys_tpm_systemd_template(&template, rsa);
	return create_primary(context, &template, primary, name, err);
}

enum mortise_code keys_tpm_session(struct keys_tpm_context *context, ESYS_TR primary, ESYS_TR bind,
				   TPM2_SE type, TPMA_SESSION encrypted, ESYS_TR *session,
				   struct mortise_error *err)
{
	const TPMT_SYM_DEF cipher = {
		.algorithm = TPM2_ALG_AES,
		.keyBits.aes = 128,
		.mode.aes = TPM2_ALG_CFB,
	};
	TSS2_RC rc;

	do
		rc = context->library.Esys_StartAuthSession(
			context->esys, primary, bind, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			NULL, type, &cipher, TPM2_ALG_SHA256, session);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_StartAuthSession", err);
	keys_tpm_keep(context, *session);
	rc = context->library.Esys_TRSess_SetAttributes(
		context->esys, *session, encrypted | TPMA_SESSION_CONTINUESESSION, 0xff);
	return rc ? keys_tpm_failed(rc, "Esys_TRSess_SetAttributes", err) : MORTISE_OK;
}

enum mortise_code keys_tpm_load_policy_key(struct keys_tpm_context *context,
					   const struct keys_tpm_signed_policy *policy,
					   ESYS_TR *key, struct mortise_error *err)
{
	TPM2B_PUBLIC template;
	TSS2_RC rc;

	keys_tpm_policy_key_template(&template, policy);
	do
		rc = context->library.Esys_LoadExternal(context->esys, ESYS_TR_NONE, ESYS_TR_NONE,
							ESYS_TR_NONE, NULL, &template,
							ESYS_TR_RH_OWNER, key);
	while (keys_tpm_again(context, rc));
	if (!rc) {
		keys_tpm_keep(context, *key);
		return MORTISE_OK;
	}
	switch (keys_tpm_reason(rc)) {
	case TPM2_RC_VALUE:
	case TPM2_RC_KEY_SIZE:
	case TPM2_RC_SIZE:
	case TPM2_RC_RANGE:
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"this TPM does not support the key that signs the policy of PCR "
			"%u: RSA with %zu bits and exponent %u (TPM2_LoadExternal: 0x%08x)",
			KEYS_TPM_SIGNED_PCR, policy->modulus_size * 8, policy->exponent, rc);
	default:
		return keys_tpm_failed(rc, "TPM2_LoadExternal", err);
	}
}
