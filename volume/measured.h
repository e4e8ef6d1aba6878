/* SPDX-License-Identifier: MIT */
/* What `mortise up` has extended into PCR 15 in this boot, recorded in /run/mortise. */
#ifndef VOLUME_MEASURED_H
#define VOLUME_MEASURED_H

#include "keys/sources/tpm/tpm.h"

#define VOLUME_PCR_15 (UINT32_C(1) << KEYS_TPM_IDENTITY_PCR)

struct volume_measured {
	bool extended;	  /* PCR 15 was extended in this boot */
	bool foreign;	  /* PCR 15 was not zero before */
	bool state_known; /* state is set, and PCR 15 was extended if this machine has a TPM */
	uint8_t state[KEYS_TPM_DIGEST_SIZE];   /* the digest that the next boot extends */
	char state_uuid[MORTISE_UUID_LEN + 1]; /* of encrypted STATE, else "" */
};

/* Clears *measured if nothing is recorded. */
void volume_measured_read(struct volume_measured *measured);

MORTISE_MUST_CHECK enum mortise_code volume_measured_store(const struct volume_measured *measured,
							   struct mortise_error *err);

/*
 * Predicts the value of PCR 15 when the next boot unseals a key of STATE (zero), or of another
 * volume: the value after the extension. For the latter, measured->state_known must be set.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_measured_predict(const struct volume_measured *measured, bool of_state,
			uint8_t value[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Replaces the error of an object that cannot be unsealed because PCR 15, and no other PCR, has
 * another value. MORTISE_E_STALE: it was sealed for another STATE. MORTISE_E_SOURCE: the value of
 * PCR 15 is wrong in this boot, and a new object could not be unsealed either. MORTISE_E_WAIT: PCR
 * 15 was not extended yet.
 */
enum mortise_code volume_measured_explain(const struct keys_tpm_object *object,
					  struct mortise_error *err);

#endif
