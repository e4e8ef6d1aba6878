/* SPDX-License-Identifier: MIT */
/* Sealing and unsealing with an open TPM. */
#ifndef KEYS_TPM_OPERATIONS_H
#define KEYS_TPM_OPERATIONS_H

#include "keys/sources/tpm/context.h"

/* Seals secret to binding and to policy, which is NULL if the machine has none. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_seal_object(struct keys_tpm_context *context, const struct keys_tpm_signed_policy *policy,
		     const struct keys_tpm_binding *binding, const struct mortise_secret *secret,
		     struct keys_tpm_object *object, struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code
keys_tpm_unseal_object(struct keys_tpm_context *context,
		       const struct keys_tpm_signed_policy *policy,
		       const struct keys_tpm_object *object, struct mortise_secret **secret,
		       uint32_t *changed, struct mortise_error *err);

#endif
