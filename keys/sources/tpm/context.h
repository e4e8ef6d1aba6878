/* SPDX-License-Identifier: MIT */
/* A TPM while something is asked of it, and what has to be taken out of it again. */
#ifndef KEYS_TPM_CONTEXT_H
#define KEYS_TPM_CONTEXT_H

#include "keys/sources/tpm/library.h"
#include "keys/sources/tpm/tpm.h"

#define KEYS_TPM_KEPT_MAX 8u

struct keys_tpm_context {
	struct keys_tpm_library library;
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	int64_t deadline; /* on keys_tpm_clock_ms() */
	ESYS_TR kept[KEYS_TPM_KEPT_MAX];
	unsigned kept_count;
};

/* CLOCK_MONOTONIC, in milliseconds. */
int64_t keys_tpm_clock_ms(void);

/* Waits for a TPM that is in use until the deadline. Close it in either case. */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_open(struct keys_tpm_context *context,
						   const char *tcti, int64_t deadline,
						   struct mortise_error *err);
/* Takes out of the TPM what was kept: without a resource manager nobody else does. */
void keys_tpm_close(struct keys_tpm_context *context);

/* An object or session, until the TPM is closed. */
void keys_tpm_keep(struct keys_tpm_context *context, ESYS_TR handle);

/* Is rc worth another try of the same command? Pauses before it says so. */
bool keys_tpm_again(const struct keys_tpm_context *context, TSS2_RC rc);

#endif
