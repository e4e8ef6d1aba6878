/* SPDX-License-Identifier: MIT */
/* Sealing: this file computes the policy, and the TPM creates the sealed object. */
#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/operations.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/session.h"
#include "keys/sources/tpm/template.h"
#include "base/secret.h"

/* Computes the policy from the predicted and the current values of the PCRs. */
static enum mortise_code set_policy(struct keys_tpm_context *context,
				    const struct keys_tpm_signed_policy *policy,
				    const struct keys_tpm_binding *binding, bool pin,
				    struct keys_tpm_object *object, struct mortise_error *err)
{
	const uint32_t signed_pcr = policy ? UINT32_C(1) << KEYS_TPM_SIGNED_PCR : 0;
	const uint32_t predicted = binding->pcrs & binding->predicted;
	enum mortise_code code;

	object->signed_policy = policy;
	object->pcrs = binding->pcrs;
	object->systemd = binding->systemd;
	object->pin = pin;
	object->bank = TPM2_ALG_SHA256;
	code = keys_tpm_pcr_read(context, (object->pcrs & ~predicted) | signed_pcr,
				 object->pcr_values, err);
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (predicted >> pcr & 1)
			memcpy(object->pcr_values[pcr], binding->values[pcr], KEYS_TPM_DIGEST_SIZE);
	}
	if (!code)
		code = keys_tpm_policy_digest(policy, object->pcrs, object->pcr_values,
					      object->policy_hash, err);
	if (!code && pin)
		code = keys_tpm_policy_pin(object->policy_hash, err);
	object->values_known = object->pcrs;
	return code;
}

/* Checks that the TPM can load the policy's key; otherwise unsealing would fail later. */
static enum mortise_code try_policy_key(struct keys_tpm_context *context,
					const struct keys_tpm_signed_policy *policy,
					struct mortise_error *err)
{
	ESYS_TR key;

	return policy ? keys_tpm_load_policy_key(context, policy, &key, err) : MORTISE_OK;
}

static enum mortise_code marshal_object(const struct keys_tpm_context *context,
					const TPM2B_PRIVATE *private, const TPM2B_PUBLIC *public,
					struct keys_tpm_object *object, struct mortise_error *err)
{
	TSS2_RC rc;

	rc = context->library.Tss2_MU_TPM2B_PRIVATE_Marshal(
		private, object->private_blob, sizeof(object->private_blob), &object->private_size);
	if (!rc)
		rc = context->library.Tss2_MU_TPM2B_PUBLIC_Marshal(public, object->public_blob,
								   sizeof(object->public_blob),
								   &object->public_size);
	return rc ? keys_tpm_failed(rc, "Tss2_MU_TPM2B_PRIVATE_Marshal", err) : MORTISE_OK;
}

/* ESYS keeps a copy of the last sensitive data. Replace it by a call that creates no object. */
static void replace_sensitive(const struct keys_tpm_context *context, const TPM2B_PUBLIC *template)
{
	const TPM2B_SENSITIVE_CREATE nothing = { 0 };
	const TPML_PCR_SELECTION no_pcrs = { 0 };
	const TPM2B_DATA no_data = { 0 };

	context->library.Esys_Create(context->esys, UINT32_MAX, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				     ESYS_TR_NONE, &nothing, template, &no_data, &no_pcrs, NULL,
				     NULL, NULL, NULL, NULL);
}

void keys_tpm_pin_auth(const struct mortise_secret *pin, TPM2B_AUTH *auth)
{
	size_t size = mortise_secret_size(pin);

	while (size && !mortise_secret_data(pin)[size - 1])
		size--;
	auth->size = (UINT16)size;
	memcpy(auth->buffer, mortise_secret_data(pin), size);
}

static enum mortise_code create_object(struct keys_tpm_context *context, ESYS_TR primary,
				       const struct mortise_secret *pin,
				       const struct mortise_secret *secret,
				       struct keys_tpm_object *object, struct mortise_error *err)
{
	const TPML_PCR_SELECTION no_pcrs = { 0 };
	const TPM2B_DATA no_data = { 0 };
	TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	enum mortise_code code;
	TPM2B_PUBLIC template;
	ESYS_TR session;
	TSS2_RC rc;

	code = keys_tpm_session(context, primary, ESYS_TR_NONE, TPM2_SE_HMAC,
				TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT, &session, err);
	if (code)
		return code;
	keys_tpm_sealed_template(&template, object->policy_hash);
	/* Wrong PINs count for the TPM's lockout, which disables systemd's parent in any case. */
	if (object->systemd)
		template.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_NODA;
	if (pin)
		keys_tpm_pin_auth(pin, &sensitive.sensitive.userAuth);
	sensitive.sensitive.data.size = KEYS_TPM_SECRET_SIZE;
	memcpy(sensitive.sensitive.data.buffer, mortise_secret_data(secret), KEYS_TPM_SECRET_SIZE);
	do
		rc = context->library.Esys_Create(context->esys, primary, session, ESYS_TR_NONE,
						  ESYS_TR_NONE, &sensitive, &template, &no_data,
						  &no_pcrs, &private, &public, NULL, NULL, NULL);
	while (keys_tpm_again(context, rc));
	secret_wipe(&sensitive, sizeof(sensitive));
	replace_sensitive(context, &template);
	code = rc ? keys_tpm_failed(rc, "TPM2_Create", err)
		  : marshal_object(context, private, public, object, err);
	context->library.Esys_Free(private);
	context->library.Esys_Free(public);
	return code;
}

/* An RSA key takes seconds, but some TPMs have no ECC keys. */
static enum mortise_code create_systemd_primary(struct keys_tpm_context *context,
						struct keys_tpm_object *object, ESYS_TR *primary,
						TPM2B_NAME **name, struct mortise_error *err)
{
	enum mortise_code code = keys_tpm_systemd_primary(context, false, primary, name, err);

	object->rsa = code == MORTISE_E_SOURCE || code == MORTISE_E_UNSUPPORTED;
	return object->rsa ? keys_tpm_systemd_primary(context, true, primary, name, err) : code;
}

enum mortise_code keys_tpm_seal_object(struct keys_tpm_context *context,
				       const struct keys_tpm_signed_policy *policy,
				       const struct keys_tpm_binding *binding,
				       const struct mortise_secret *pin,
				       const struct mortise_secret *secret,
				       struct keys_tpm_object *object, struct mortise_error *err)
{
	TPM2B_NAME *name = NULL;
	enum mortise_code code;
	ESYS_TR primary;

	code = set_policy(context, policy, binding, pin != NULL, object, err);
	if (code)
		goto out;
	code = try_policy_key(context, policy, err);
	if (code)
		goto out;
	code = binding->systemd ? create_systemd_primary(context, object, &primary, &name, err)
				: keys_tpm_primary(context, &primary, &name, err);
	if (code)
		goto out;
	code = create_object(context, primary, pin, secret, object, err);
	if (code)
		goto out;
	object->key_name[0] = (uint8_t)(name->size >> 8);
	object->key_name[1] = (uint8_t)name->size;
	memcpy(object->key_name + 2, name->name, name->size);
	object->key_name_size = 2u + name->size;
out:
	context->library.Esys_Free(name);
	return code;
}
