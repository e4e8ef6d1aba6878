/* SPDX-License-Identifier: MIT */
/* The NV index that holds the memory, with an open TPM. memory.h describes these functions. */
#ifndef KEYS_TPM_NV_H
#define KEYS_TPM_NV_H

#include "keys/sources/tpm/context.h"
#include "keys/sources/tpm/memory.h"

/* policy: NULL if the machine has none. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_nv_read(struct keys_tpm_context *context, const struct keys_tpm_signed_policy *policy,
		 struct keys_tpm_memory *memory, enum keys_tpm_memory_state *state,
		 struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code
keys_tpm_nv_write(struct keys_tpm_context *context, const struct keys_tpm_signed_policy *policy,
		  const struct keys_tpm_memory *memory, bool replace, struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code keys_tpm_nv_remove(struct keys_tpm_context *context,
							struct mortise_error *err);

#endif
