/* SPDX-License-Identifier: MIT */
/* The key that signs policies of PCR 11, as systemd-stub hands it on. */
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
			"the key that signs the policy of PCR %u is no public RSA key in PEM "
			"(BEGIN PUBLIC KEY)",
			KEYS_TPM_SIGNED_PCR);
	/* A TPM counts its bits in whole bytes of the modulus. */
	if (key.modulus_size < MODULUS_MIN || key.modulus_size > KEYS_TPM_MODULUS_MAX ||
	    !(key.modulus[0] >> 7))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"the key that signs the policy of PCR %u has to be of 2048 to 4096 "
			"bits",
			KEYS_TPM_SIGNED_PCR);
	memcpy(policy->modulus, key.modulus, key.modulus_size);
	policy->modulus_size = key.modulus_size;
	policy->exponent = key.exponent;
	return MORTISE_OK;
}
