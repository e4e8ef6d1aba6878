/* SPDX-License-Identifier: MIT */
/* What sealing and unsealing share: the storage root key, and sessions salted with it. */
#ifndef KEYS_TPM_SESSION_H
#define KEYS_TPM_SESSION_H

#include "keys/sources/tpm/context.h"

/* Makes the storage root key anew, as it is not kept in the TPM; *name is to be Esys_Free'd. */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_primary(struct keys_tpm_context *context,
						      ESYS_TR *primary, TPM2B_NAME **name,
						      struct mortise_error *err);

/*
 * A session (TPM2_SE_HMAC, TPM2_SE_POLICY) whose key only the TPM that holds primary can know.
 * encrypted: the directions in which it encrypts (AES-128-CFB), TPMA_SESSION_DECRYPT towards
 * the TPM and TPMA_SESSION_ENCRYPT from it. Commands that have nothing to encrypt refuse it.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_session(struct keys_tpm_context *context,
						      ESYS_TR primary, TPM2_SE type,
						      TPMA_SESSION encrypted, ESYS_TR *session,
						      struct mortise_error *err);

/* Loads the key of a signed policy. MORTISE_E_UNSUPPORTED: too large for this TPM. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_load_policy_key(struct keys_tpm_context *context,
			 const struct keys_tpm_signed_policy *policy, ESYS_TR *key,
			 struct mortise_error *err);

#endif
