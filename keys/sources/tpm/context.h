/* SPDX-License-Identifier: MIT */
/* A connection to a TPM, and the objects and sessions to flush from the TPM at the end. */
#ifndef KEYS_TPM_CONTEXT_H
#define KEYS_TPM_CONTEXT_H

#include "keys/sources/tpm/library.h"
#include "keys/sources/tpm/tpm.h"

#define KEYS_TPM_KEPT_MAX 8u

struct keys_tpm_context {
	struct keys_tpm_library library;
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	uint64_t deadline; /* on clock_now_ms() */
	ESYS_TR kept[KEYS_TPM_KEPT_MAX];
	unsigned kept_count;
};

/*
 * Connects to a TPM; waits until the deadline while the TPM is in use. The caller calls
 * keys_tpm_close() in every case.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_open(struct keys_tpm_context *context,
						   const char *tcti, uint64_t deadline,
						   struct mortise_error *err);
/* Flushes kept objects and sessions: without a resource manager, they would stay in the TPM. */
void keys_tpm_close(struct keys_tpm_context *context);

/* Flushes all but the first count kept objects and sessions: a TPM has room for only three. */
void keys_tpm_flush(struct keys_tpm_context *context, unsigned count);

/* Remembers an object or session for keys_tpm_close() to flush. */
void keys_tpm_keep(struct keys_tpm_context *context, ESYS_TR handle);

/* Returns true, after a pause, if the command that returned rc is to be sent again. */
bool keys_tpm_again(const struct keys_tpm_context *context, TSS2_RC rc);

#endif
