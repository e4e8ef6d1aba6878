/* SPDX-License-Identifier: MIT */
/* What a TPM, or the stack on the way to it, answers instead of doing what was asked. */
#ifndef KEYS_TPM_RESPONSE_H
#define KEYS_TPM_RESPONSE_H

#include <mortise.h>
#include <tss2/tss2_common.h>

/* Would the same command be carried out a little later? */
bool keys_tpm_busy(TSS2_RC rc);

/* The error of layer TPM without the number of the parameter, session or handle it is about. */
TSS2_RC keys_tpm_reason(TSS2_RC rc);

/* The sentence for rc, which is not 0: what command ("TPM2_Create") met. */
enum mortise_code keys_tpm_failed(TSS2_RC rc, const char *command, struct mortise_error *err);

#endif
