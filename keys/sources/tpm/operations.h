/* SPDX-License-Identifier: MIT */
/* Sealing and unsealing with an open TPM. */
#ifndef KEYS_TPM_OPERATIONS_H
#define KEYS_TPM_OPERATIONS_H

#include "keys/sources/tpm/context.h"

/* Seals secret to binding and to policy and pin, which may be NULL. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_seal_object(struct keys_tpm_context *context, const struct keys_tpm_signed_policy *policy,
		     const struct keys_tpm_binding *binding, const struct mortise_secret *pin,
		     const struct mortise_secret *secret, struct keys_tpm_object *object,
		     struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code
keys_tpm_unseal_object(struct keys_tpm_context *context,
		       const struct keys_tpm_signed_policy *policy,
		       const struct mortise_secret *pin, const struct keys_tpm_object *object,
		       struct mortise_secret **secret, uint32_t *changed,
		       struct mortise_error *err);

/* For an object with the member systemd. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_unseal_systemd(struct keys_tpm_context *context,
			const struct keys_tpm_signed_policy *policy,
			const struct mortise_secret *pin, const struct keys_tpm_object *object,
			struct mortise_secret **secret, uint32_t *changed,
			struct mortise_error *err);

/* Steps of unsealing. authorization: of primary, a session or ESYS_TR_PASSWORD. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_load_object(struct keys_tpm_context *context, ESYS_TR primary, ESYS_TR authorization,
		     const struct keys_tpm_object *object, ESYS_TR *item, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_unseal_item(struct keys_tpm_context *context, ESYS_TR item, ESYS_TR policy,
		     ESYS_TR encryption, struct mortise_secret **secret, struct mortise_error *err);

/* The password of an object with a PIN: without trailing zero bytes, as a TPM stores it. */
void keys_tpm_pin_auth(const struct mortise_secret *pin, TPM2B_AUTH *auth);

#endif
