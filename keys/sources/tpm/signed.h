/* SPDX-License-Identifier: MIT */
/* The signed policy of PCR 11 in a policy session. */
#ifndef KEYS_TPM_SIGNED_H
#define KEYS_TPM_SIGNED_H

#include "keys/sources/tpm/context.h"

MORTISE_MUST_CHECK enum mortise_code keys_tpm_policy_pcr(const struct keys_tpm_context *context,
							 ESYS_TR session, uint32_t pcrs,
							 struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code
keys_tpm_session_digest(const struct keys_tpm_context *context, ESYS_TR session,
			uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * PolicyPCR of what PCR 11 holds now, and PolicyAuthorize by who signed it. MORTISE_E_STALE:
 * nobody did. MORTISE_E_SOURCE: the signature or its key is not what it should be.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_authorize(struct keys_tpm_context *context,
							const struct keys_tpm_signed_policy *policy,
							ESYS_TR session, struct mortise_error *err);

#endif
