/* SPDX-License-Identifier: MIT */
/* The signed policy of PCR 11 in a policy session. */
#ifndef KEYS_TPM_SIGNED_H
#define KEYS_TPM_SIGNED_H

#include "keys/sources/tpm/context.h"

/* Binds a policy session to the current values of pcrs of a bank (PolicyPCR). */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_policy_pcr(const struct keys_tpm_context *context,
							 ESYS_TR session, uint16_t bank,
							 uint32_t pcrs, struct mortise_error *err);

/* Reads the digest of a policy session. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_session_digest(const struct keys_tpm_context *context, ESYS_TR session,
			uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Binds a policy session to the current value of the policy's PCRs (PolicyPCR), and replaces this by the key
 * that has signed the value (PolicyAuthorize). MORTISE_E_SOURCE: the value is not signed, or the
 * signature or its key is wrong.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_authorize(struct keys_tpm_context *context,
							const struct keys_tpm_signed_policy *policy,
							ESYS_TR session, struct mortise_error *err);

#endif
