/* SPDX-License-Identifier: MIT */
/* The PCRs of the SHA-256 bank. */
#ifndef KEYS_TPM_PCR_H
#define KEYS_TPM_PCR_H

#include "keys/sources/tpm/context.h"

/* Bit n of pcrs as the TPM is told: PCR n of the SHA-256 bank. */
TPML_PCR_SELECTION keys_tpm_pcr_selection(uint32_t pcrs);

/*
 * Reads them, and refuses those that say nothing of the boot: all zeros, or all ones.
 * MORTISE_E_SOURCE.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_pcr_read(const struct keys_tpm_context *context, uint32_t pcrs,
		  uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		  struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code keys_tpm_pcr_extend(const struct keys_tpm_context *context,
							 unsigned pcr, const char *word,
							 struct mortise_error *err);

#define KEYS_TPM_PCR_LIST_MAX 224u /* characters of all 24, NUL and all */

/* "PCR 0, PCR 4 or PCR 7" */
void keys_tpm_pcr_list(uint32_t pcrs, const char *conjunction,
		       char list[static KEYS_TPM_PCR_LIST_MAX]);

#endif
