/* SPDX-License-Identifier: MIT */
/* Templates of the objects that a TPM creates or loads. */
#ifndef KEYS_TPM_TEMPLATE_H
#define KEYS_TPM_TEMPLATE_H

#include <tss2/tss2_tpm2_types.h>

#include "keys/sources/tpm/tpm.h"

/*
 * The storage root key: TCG TPM v2.0 Provisioning Guidance, section 7.5.1, template for ECC P-256.
 * unique has two coordinates of 32 zero bytes each, not empty ones, since the key is derived from
 * it.
 */
void keys_tpm_srk_template(TPM2B_PUBLIC *template);

/* The parent of objects that systemd-cryptenroll seals: an ECC P-256 or RSA 2048 key. */
void keys_tpm_systemd_template(TPM2B_PUBLIC *template, bool rsa);

/* A sealed object that only its policy opens. The TPM's lockout does not affect it. */
void keys_tpm_sealed_template(TPM2B_PUBLIC *template,
			      const uint8_t policy_hash[static KEYS_TPM_DIGEST_SIZE]);

/* The key of a signed policy; keys_tpm_policy_key_name() computes its name. */
void keys_tpm_policy_key_template(TPM2B_PUBLIC *template,
				  const struct keys_tpm_signed_policy *policy);

#endif
