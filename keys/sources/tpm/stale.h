/* SPDX-License-Identifier: MIT */
/* The reason why the policy of a sealed object is no longer satisfied. */
#ifndef KEYS_TPM_STALE_H
#define KEYS_TPM_STALE_H

#include "keys/sources/tpm/tpm.h"

/*
 * Sets MORTISE_E_STALE with a message that names what has changed since object was sealed. policy
 * is the policy of this machine, or NULL if object is not bound to one; values are the current
 * values of the PCRs. Bit n of *changed is set if PCR n is known to have changed.
 */
enum mortise_code keys_tpm_stale(const struct keys_tpm_object *object,
				 const struct keys_tpm_signed_policy *policy,
				 const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
				 uint32_t *changed, struct mortise_error *err);

#endif
