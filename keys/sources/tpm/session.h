/* SPDX-License-Identifier: MIT */
/* Shared by sealing and unsealing: the storage root key, and sessions salted with it. */
#ifndef KEYS_TPM_SESSION_H
#define KEYS_TPM_SESSION_H

#include "keys/sources/tpm/context.h"

/*
 * Creates the storage root key, which the TPM does not store. The caller releases *name with
 * Esys_Free().
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_primary(struct keys_tpm_context *context,
						      ESYS_TR *primary, TPM2B_NAME **name,
						      struct mortise_error *err);

/* The same for a parent of systemd's objects (keys_tpm_systemd_template). */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_systemd_primary(struct keys_tpm_context *context,
							      bool rsa, ESYS_TR *primary,
							      TPM2B_NAME **name,
							      struct mortise_error *err);

/*
 * Starts a session (TPM2_SE_HMAC, TPM2_SE_POLICY) whose key only the TPM that has primary can know.
 * bind: an object whose password goes into the session's key, too, or ESYS_TR_NONE.
 * encrypted: the directions that it encrypts with AES-128-CFB, TPMA_SESSION_DECRYPT to the TPM and
 * TPMA_SESSION_ENCRYPT from it. The TPM refuses encryption for commands that do not support it.
 * TPMA_SESSION_AUDIT: protect responses to commands without authorization, too.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_session(struct keys_tpm_context *context,
						      ESYS_TR primary, ESYS_TR bind,
						      TPM2_SE type, TPMA_SESSION encrypted, ESYS_TR *session,
						      struct mortise_error *err);

/* Loads the key of a signed policy. MORTISE_E_UNSUPPORTED: this TPM cannot load it. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_load_policy_key(struct keys_tpm_context *context,
			 const struct keys_tpm_signed_policy *policy, ESYS_TR *key,
			 struct mortise_error *err);

#endif
