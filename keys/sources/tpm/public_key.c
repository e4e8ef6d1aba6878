/* SPDX-License-Identifier: MIT */
/* The public key that verifies policies of PCR 11, as systemd-stub provides it. */
#include <string.h>

#include "keys/crypto.h"
#include "base/error.h"
#include "keys/sources/tpm/tpm.h"

#define MODULUS_MIN 256u /* bytes: 2048 bits */

enum mortise_code keys_tpm_public_key(const char *pem, size_t size,
				      struct keys_tpm_signed_policy *policy,
				      struct mortise_error *err)
{
	struct keys_crypto_rsa key;

	if (!keys_crypto_rsa_public(pem, size, &key))
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the key that signs the policy of PCR %u is not an RSA public key in PEM "
			"format (BEGIN PUBLIC KEY)",
			KEYS_TPM_SIGNED_PCR);
	/* A TPM requires that the highest bit of the modulus is set. */
	if (key.modulus_size < MODULUS_MIN || key.modulus_size > KEYS_TPM_MODULUS_MAX ||
	    !(key.modulus[0] >> 7))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"the key that signs the policy of PCR %u must have 2048 to 4096 bits",
			KEYS_TPM_SIGNED_PCR);
	memcpy(policy->modulus, key.modulus, key.modulus_size);
	policy->modulus_size = key.modulus_size;
	policy->exponent = key.exponent;
	return MORTISE_OK;
}
