/* SPDX-License-Identifier: MIT */
/* The PCRs of the SHA-256 bank. */
#ifndef KEYS_TPM_PCR_H
#define KEYS_TPM_PCR_H

#include "keys/sources/tpm/context.h"

/* Converts bits to the TPM's format: bit n of pcrs is PCR n of bank (TPM_ALG_ID; 0: SHA-256). */
TPML_PCR_SELECTION keys_tpm_pcr_selection(uint16_t bank, uint32_t pcrs);

/*
 * Reads PCRs. MORTISE_E_SOURCE: a PCR is all zeros or all ones, which says nothing about the
 * boot, or the TPM failed.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_pcr_read(const struct keys_tpm_context *context, uint32_t pcrs,
		  uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		  struct mortise_error *err);

/* The same in two steps: reads PCRs of any value, and checks the values of pcrs. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_pcr_read_any(const struct keys_tpm_context *context, uint32_t pcrs,
		      uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		      struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_pcr_check(uint32_t pcrs, const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		   struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code
keys_tpm_pcr_extend(const struct keys_tpm_context *context, unsigned pcr,
		    const uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

#define KEYS_TPM_PCR_LIST_MAX 224u /* characters for all 24 PCRs, including the NUL */

/* Writes "PCR 0, PCR 4 or PCR 7"; conjunction is "or " or "and ". */
void keys_tpm_pcr_list(uint32_t pcrs, const char *conjunction,
		       char list[static KEYS_TPM_PCR_LIST_MAX]);

#endif
