/* SPDX-License-Identifier: MIT */
/* Errors of a TPM, or of the software stack that connects to it. */
#ifndef KEYS_TPM_RESPONSE_H
#define KEYS_TPM_RESPONSE_H

#include <mortise.h>
#include <tss2/tss2_common.h>

/* Returns true if the TPM may execute the same command a little later. */
bool keys_tpm_busy(TSS2_RC rc);

/* Returns an error of the TPM layer without the number of a parameter, session or handle. */
TSS2_RC keys_tpm_reason(TSS2_RC rc);

/* Sets the error for rc, which is not 0; command is the failed command ("TPM2_Create"). */
enum mortise_code keys_tpm_failed(TSS2_RC rc, const char *command, struct mortise_error *err);

#endif
