/* SPDX-License-Identifier: MIT */
/* The public areas, identical to those of Talos Linux or systemd. */
#include "keys/sources/tpm/template.h"

#include <string.h>

#define SRK_COORDINATE 32u
#define PARENT_ATTRIBUTES                                                                   \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

void keys_tpm_systemd_template(TPM2B_PUBLIC *template, bool rsa)
{
	keys_tpm_srk_template(template);
	template->publicArea.objectAttributes = PARENT_ATTRIBUTES;
	memset(&template->publicArea.unique, 0, sizeof(template->publicArea.unique));
	if (rsa) {
		const TPMT_SYM_DEF_OBJECT cipher =
			template->publicArea.parameters.eccDetail.symmetric;

		template->publicArea.type = TPM2_ALG_RSA;
		template->publicArea.parameters.rsaDetail = (TPMS_RSA_PARMS){
			.symmetric = cipher,
			.scheme.scheme = TPM2_ALG_NULL,
			.keyBits = 2048,
		};
	}
}

void keys_tpm_srk_template(TPM2B_PUBLIC *template)
{
	*template = (TPM2B_PUBLIC){
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = PARENT_ATTRIBUTES | TPMA_OBJECT_NODA,
			.parameters.eccDetail = {
				.symmetric = { .algorithm = TPM2_ALG_AES,
					       .keyBits.aes = 128,
					       .mode.aes = TPM2_ALG_CFB },
				.scheme.scheme = TPM2_ALG_NULL,
				.curveID = TPM2_ECC_NIST_P256,
				.kdf.scheme = TPM2_ALG_NULL,
			},
			.unique.ecc = { .x.size = SRK_COORDINATE, .y.size = SRK_COORDINATE },
		},
	};
}

void keys_tpm_sealed_template(TPM2B_PUBLIC *template,
			      const uint8_t policy_hash[static KEYS_TPM_DIGEST_SIZE])
{
	*template = (TPM2B_PUBLIC){
		.publicArea = {
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_NODA,
			.authPolicy.size = KEYS_TPM_DIGEST_SIZE,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
	};
	memcpy(template->publicArea.authPolicy.buffer, policy_hash, KEYS_TPM_DIGEST_SIZE);
}

void keys_tpm_policy_key_template(TPM2B_PUBLIC *template,
				  const struct keys_tpm_signed_policy *policy)
{
	*template = (TPM2B_PUBLIC){
		.publicArea = {
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_DECRYPT |
					    TPMA_OBJECT_SIGN_ENCRYPT,
			.parameters.rsaDetail = {
				.symmetric.algorithm = TPM2_ALG_NULL,
				.scheme.scheme = TPM2_ALG_NULL,
				.keyBits = (UINT16)(policy->modulus_size * 8),
				.exponent = policy->exponent,
			},
			.unique.rsa.size = (UINT16)policy->modulus_size,
		},
	};
	memcpy(template->publicArea.unique.rsa.buffer, policy->modulus, policy->modulus_size);
}
