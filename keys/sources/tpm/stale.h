/* SPDX-License-Identifier: MIT */
/* Why the policy of a sealed object is no longer met. */
#ifndef KEYS_TPM_STALE_H
#define KEYS_TPM_STALE_H

#include "keys/sources/tpm/tpm.h"

/*
 * MORTISE_E_STALE: what differs from when object was sealed, given the policy of this machine
 * as far as it applies and what the PCRs hold now.
 */
enum mortise_code keys_tpm_stale(const struct keys_tpm_object *object,
				 const struct keys_tpm_signed_policy *policy,
				 const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
				 struct mortise_error *err);

#endif
