/* SPDX-License-Identifier: MIT */
/* Reads, checks and extends PCRs. */
#include "keys/sources/tpm/pcr.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"

TPML_PCR_SELECTION keys_tpm_pcr_selection(uint16_t bank, uint32_t pcrs)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections[0] = {
			.hash = bank ? bank : TPM2_ALG_SHA256,
			.sizeofSelect = MORTISE_PCRS / 8,
			.pcrSelect = { (BYTE)pcrs, (BYTE)(pcrs >> 8), (BYTE)(pcrs >> 16) },
		},
	};
}

/* Returns the PCRs of the SHA-256 bank in a selection as bits. */
static uint32_t selected_pcrs(const TPML_PCR_SELECTION *selection)
{
	uint32_t pcrs = 0;

	for (uint32_t i = 0; i < selection->count && i < TPM2_NUM_PCR_BANKS; i++) {
		const TPMS_PCR_SELECTION *bank = &selection->pcrSelections[i];

		for (unsigned byte = 0; bank->hash == TPM2_ALG_SHA256 &&
					byte < bank->sizeofSelect && byte < MORTISE_PCRS / 8;
		     byte++)
			pcrs |= (uint32_t)bank->pcrSelect[byte] << 8 * byte;
	}
	return pcrs;
}

void keys_tpm_pcr_list(uint32_t pcrs, const char *conjunction,
		       char list[static KEYS_TPM_PCR_LIST_MAX])
{
	size_t at = 0;

	list[0] = '\0';
	for (unsigned pcr = 0; pcr < MORTISE_PCRS && pcrs; pcr++) {
		const uint32_t bit = UINT32_C(1) << pcr;
		int length;

		if (!(pcrs & bit))
			continue;
		pcrs &= ~bit;
		length = snprintf(list + at, KEYS_TPM_PCR_LIST_MAX - at, "%s%s%sPCR %u",
				  !at || !pcrs ? "" : ", ", at && !pcrs ? " " : "",
				  at && !pcrs ? conjunction : "", pcr);
		at += (size_t)length;
	}
}

/* A TPM reports no error when a PCR of a missing bank is extended. */
static enum mortise_code check_bank(const struct keys_tpm_context *context, uint32_t pcrs,
				    struct mortise_error *err)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	char list[KEYS_TPM_PCR_LIST_MAX];
	TPMI_YES_NO more;
	uint32_t there;
	TSS2_RC rc;

	do
		rc = context->library.Esys_GetCapability(context->esys, ESYS_TR_NONE, ESYS_TR_NONE,
							 ESYS_TR_NONE, TPM2_CAP_PCRS, 0,
							 TPM2_NUM_PCR_BANKS, &more, &data);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_GetCapability", err);
	there = selected_pcrs(&data->data.assignedPCR);
	context->library.Esys_Free(data);
	if (!(pcrs & ~there))
		return MORTISE_OK;
	keys_tpm_pcr_list(pcrs & ~there, "and ", list);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the TPM has no SHA-256 bank of %s; enable it in the firmware setup",
			 list);
}

/* Reads as many of pcrs as fit into one response. *got: the PCRs that were read. */
static enum mortise_code read_pcrs(const struct keys_tpm_context *context, uint32_t pcrs,
				   uint32_t *got,
				   uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
				   struct mortise_error *err)
{
	const TPML_PCR_SELECTION wanted = keys_tpm_pcr_selection(TPM2_ALG_SHA256, pcrs);
	TPML_PCR_SELECTION *selection = NULL;
	TPML_DIGEST *digests = NULL;
	uint32_t next = 0;
	TSS2_RC rc;

	*got = 0;
	do
		rc = context->library.Esys_PCR_Read(context->esys, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, &wanted, NULL, &selection,
						    &digests);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_PCR_Read", err);
	pcrs &= selected_pcrs(selection);
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		const TPM2B_DIGEST *digest = &digests->digests[next];

		if (!(pcrs >> pcr & 1) || next >= digests->count)
			continue;
		if (digest->size == KEYS_TPM_DIGEST_SIZE) {
			memcpy(values[pcr], digest->buffer, KEYS_TPM_DIGEST_SIZE);
			*got |= UINT32_C(1) << pcr;
		}
		next++;
	}
	context->library.Esys_Free(selection);
	context->library.Esys_Free(digests);
	return MORTISE_OK;
}

static bool is_all(const uint8_t value[static KEYS_TPM_DIGEST_SIZE], uint8_t byte)
{
	for (size_t i = 0; i < KEYS_TPM_DIGEST_SIZE; i++) {
		if (value[i] != byte)
			return false;
	}
	return true;
}

static enum mortise_code check_measured(unsigned pcr,
					const uint8_t value[static KEYS_TPM_DIGEST_SIZE],
					struct mortise_error *err)
{
	const char *what;

	if (is_all(value, 0x00))
		what = "all zeroes";
	else if (is_all(value, 0xff))
		what = "all 0xFF";
	else
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_SOURCE, 0,
		"PCR bank %u is populated with %s: nothing was measured into it, and a key "
		"bound to it would open after any boot",
		pcr, what);
}

enum mortise_code keys_tpm_pcr_read_any(const struct keys_tpm_context *context, uint32_t pcrs,
					uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
					struct mortise_error *err)
{
	enum mortise_code code;
	uint32_t got;

	code = check_bank(context, pcrs, err);
	if (code)
		return code;
	for (uint32_t left = pcrs; left; left &= ~got) {
		code = read_pcrs(context, left, &got, values, err);
		if (code)
			return code;
		if (!got)
			return error_set(err, MORTISE_E_SOURCE, 0,
					 "the TPM returned other PCRs than requested "
					 "(TPM2_PCR_Read)");
	}
	return MORTISE_OK;
}

enum mortise_code
keys_tpm_pcr_check(uint32_t pcrs, const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		   struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (unsigned pcr = 0; !code && pcr < MORTISE_PCRS; pcr++) {
		if (pcrs >> pcr & 1)
			code = check_measured(pcr, values[pcr], err);
	}
	return code;
}

enum mortise_code keys_tpm_pcr_read(const struct keys_tpm_context *context, uint32_t pcrs,
				    uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
				    struct mortise_error *err)
{
	enum mortise_code code = keys_tpm_pcr_read_any(context, pcrs, values, err);

	return code ? code : keys_tpm_pcr_check(pcrs, values, err);
}

enum mortise_code keys_tpm_pcr_extend(const struct keys_tpm_context *context, unsigned pcr,
				      const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				      struct mortise_error *err)
{
	TPML_DIGEST_VALUES digests = {
		.count = 1,
		.digests[0].hashAlg = TPM2_ALG_SHA256,
	};
	enum mortise_code code;
	TSS2_RC rc;

	memcpy(digests.digests[0].digest.sha256, digest, KEYS_TPM_DIGEST_SIZE);
	code = check_bank(context, UINT32_C(1) << pcr, err);
	if (code)
		return code;
	do
		rc = context->library.Esys_PCR_Extend(context->esys, ESYS_TR_PCR0 + pcr,
						      ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						      &digests);
	while (keys_tpm_again(context, rc));
	return rc ? keys_tpm_failed(rc, "TPM2_PCR_Extend", err) : MORTISE_OK;
}
