/* SPDX-License-Identifier: MIT */
/* Authorizes the current value of PCR 11 by the signature over it. */
#include "keys/sources/tpm/signed.h"

#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/session.h"

enum mortise_code keys_tpm_policy_pcr(const struct keys_tpm_context *context, ESYS_TR session,
				      uint16_t bank, uint32_t pcrs, struct mortise_error *err)
{
	const TPML_PCR_SELECTION selection = keys_tpm_pcr_selection(bank, pcrs);
	const TPM2B_DIGEST current_values = { 0 };
	TSS2_RC rc;

	do
		rc = context->library.Esys_PolicyPCR(context->esys, session, ESYS_TR_NONE,
						     ESYS_TR_NONE, ESYS_TR_NONE, &current_values,
						     &selection);
	while (keys_tpm_again(context, rc));
	return rc ? keys_tpm_failed(rc, "TPM2_PolicyPCR", err) : MORTISE_OK;
}

enum mortise_code keys_tpm_session_digest(const struct keys_tpm_context *context, ESYS_TR session,
					  uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
					  struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	TPM2B_DIGEST *answer = NULL;
	TSS2_RC rc;

	do
		rc = context->library.Esys_PolicyGetDigest(context->esys, session, ESYS_TR_NONE,
							   ESYS_TR_NONE, ESYS_TR_NONE, &answer);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_PolicyGetDigest", err);
	if (answer->size == KEYS_TPM_DIGEST_SIZE)
		memcpy(digest, answer->buffer, KEYS_TPM_DIGEST_SIZE);
	else
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "the TPM returned a digest of %u bytes (TPM2_PolicyGetDigest)",
				 answer->size);
	context->library.Esys_Free(answer);
	return code;
}

static uint32_t signed_pcrs(const struct keys_tpm_signed_policy *policy)
{
	return policy->pcrs ? policy->pcrs : UINT32_C(1) << KEYS_TPM_SIGNED_PCR;
}

/* Finds the signature over digest by the policy's key. */
static enum mortise_code find_signature(const struct keys_tpm_signed_policy *policy,
					const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
					const struct keys_tpm_signature **found,
					struct mortise_error *err)
{
	uint8_t fingerprint[KEYS_TPM_DIGEST_SIZE];
	char list[KEYS_TPM_PCR_LIST_MAX];
	enum mortise_code code;
	bool by_another = false;

	*found = NULL;
	keys_tpm_pcr_list(signed_pcrs(policy), "and ", list);
	code = keys_tpm_fingerprint(policy, fingerprint, err);
	if (code)
		return code;
	for (size_t i = 0; i < policy->signature_count && i < KEYS_TPM_SIGNATURES_MAX; i++) {
		const struct keys_tpm_signature *signature = &policy->signatures[i];

		if (memcmp(signature->policy, digest, KEYS_TPM_DIGEST_SIZE))
			continue;
		if (!memcmp(signature->fingerprint, fingerprint, KEYS_TPM_DIGEST_SIZE)) {
			*found = signature;
			return MORTISE_OK;
		}
		by_another = true;
	}
	if (by_another)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "certificate fingerprint does not match: the value of %s is "
				 "signed by another key than the one in the boot image",
				 list);
	/* Not MORTISE_E_STALE: a new sealed object could not be unsealed in this state either. */
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the value of %s is not signed: this is another boot image, or a "
			 "phase of the boot in which the key is unavailable; with the right boot "
			 "image, restart the machine",
			 list);
}

static enum mortise_code verify_signature(struct keys_tpm_context *context, ESYS_TR key,
					  const struct keys_tpm_signed_policy *policy,
					  const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
					  const struct keys_tpm_signature *found,
					  TPMT_TK_VERIFIED **ticket, struct mortise_error *err)
{
	const struct keys_bytes signed_bytes = { digest, KEYS_TPM_DIGEST_SIZE };
	TPM2B_DIGEST hashed = { .size = KEYS_TPM_DIGEST_SIZE };
	TPMT_SIGNATURE signature = {
		.sigAlg = TPM2_ALG_RSASSA,
		.signature.rsassa = { .hash = TPM2_ALG_SHA256,
				      .sig.size = (UINT16)found->signature_size },
	};
	char list[KEYS_TPM_PCR_LIST_MAX];
	enum mortise_code code;
	TSS2_RC rc;

	code = keys_sha256(&signed_bytes, 1, hashed.buffer, err);
	if (code)
		return code;
	memcpy(signature.signature.rsassa.sig.buffer, found->signature, found->signature_size);
	do
		rc = context->library.Esys_VerifySignature(context->esys, key, ESYS_TR_NONE,
							   ESYS_TR_NONE, ESYS_TR_NONE, &hashed,
							   &signature, ticket);
	while (keys_tpm_again(context, rc));
	keys_tpm_pcr_list(signed_pcrs(policy), "and ", list);
	if (rc && (keys_tpm_reason(rc) == TPM2_RC_SIGNATURE || keys_tpm_reason(rc) == TPM2_RC_SIZE))
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the signature over the value of %s is invalid: the boot image "
				 "is damaged or was tampered with",
				 list);
	return rc ? keys_tpm_failed(rc, "TPM2_VerifySignature", err) : MORTISE_OK;
}

static enum mortise_code authorize_policy(const struct keys_tpm_context *context, ESYS_TR session,
					  const struct keys_tpm_signed_policy *policy,
					  const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
					  const TPMT_TK_VERIFIED *ticket, struct mortise_error *err)
{
	TPM2B_DIGEST approved = { .size = KEYS_TPM_DIGEST_SIZE };
	TPM2B_NAME name = { .size = KEYS_TPM_OBJECT_NAME_SIZE };
	const TPM2B_NONCE no_reference = { 0 };
	enum mortise_code code;
	TSS2_RC rc;

	memcpy(approved.buffer, digest, KEYS_TPM_DIGEST_SIZE);
	code = keys_tpm_policy_key_name(policy, name.name, err);
	if (code)
		return code;
	do
		rc = context->library.Esys_PolicyAuthorize(context->esys, session, ESYS_TR_NONE,
							   ESYS_TR_NONE, ESYS_TR_NONE, &approved,
							   &no_reference, &name, ticket);
	while (keys_tpm_again(context, rc));
	return rc ? keys_tpm_failed(rc, "TPM2_PolicyAuthorize", err) : MORTISE_OK;
}

enum mortise_code keys_tpm_authorize(struct keys_tpm_context *context,
				     const struct keys_tpm_signed_policy *policy, ESYS_TR session,
				     struct mortise_error *err)
{
	const struct keys_tpm_signature *found;
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	TPMT_TK_VERIFIED *ticket = NULL;
	enum mortise_code code;
	ESYS_TR key;

	code = keys_tpm_policy_pcr(context, session, policy->bank, signed_pcrs(policy), err);
	if (code)
		goto out;
	code = keys_tpm_session_digest(context, session, digest, err);
	if (code)
		goto out;
	code = find_signature(policy, digest, &found, err);
	if (code)
		goto out;
	code = keys_tpm_load_policy_key(context, policy, &key, err);
	if (code)
		goto out;
	code = verify_signature(context, key, policy, digest, found, &ticket, err);
	if (code)
		goto out;
	code = authorize_policy(context, session, policy, digest, ticket, err);
out:
	context->library.Esys_Free(ticket);
	return code;
}
