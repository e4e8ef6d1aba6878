/* SPDX-License-Identifier: MIT */
/* Computes policies and the names of objects without a TPM. */
#ifndef KEYS_TPM_POLICY_H
#define KEYS_TPM_POLICY_H

#include "keys/hash.h"
#include "keys/sources/tpm/tpm.h"

#define KEYS_TPM_OBJECT_NAME_SIZE (2u + KEYS_TPM_DIGEST_SIZE) /* TPM_ALG_ID, digest */
#define KEYS_TPM_PCR_MASK	  ((UINT32_C(1) << MORTISE_PCRS) - 1)

/* Computes SHA-256 of the policy's key as an RSAPublicKey (RFC 8017, appendix A.1.1) in DER. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_fingerprint(const struct keys_tpm_signed_policy *policy,
		     uint8_t fingerprint[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/* Adds PolicyAuthValue to a policy digest: the object also needs its password. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_policy_pin(uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/* Computes the name that a TPM gives to the policy's key. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_policy_key_name(const struct keys_tpm_signed_policy *policy,
			 uint8_t name[static KEYS_TPM_OBJECT_NAME_SIZE], struct mortise_error *err);

#endif
