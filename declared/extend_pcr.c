/* SPDX-License-Identifier: MIT */
/* Extending a PCR when all volumes are ready, so that keys bound to it cannot be unsealed again. */
#include "base/error.h"
#include "base/sized.h"
#include "declared/up.h"
#include "keys/sources/tpm/tpm.h"
#include "volume/extended_pcrs.h"

enum mortise_code volume_check_extension(const struct mortise_up_options *options,
					 struct mortise_error *err)
{
	if (!options->extend_word)
		return MORTISE_OK;
	if (options->extend_pcr >= MORTISE_PCRS)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "PCR %u does not exist; use a PCR from 0 to %u",
				 options->extend_pcr, MORTISE_PCRS - 1);
	if (options->extend_pcr == KEYS_TPM_IDENTITY_PCR)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "PCR 15 is extended with the identity of STATE, and keys are "
				 "sealed to this value; use another PCR");
	return MORTISE_OK;
}

/*
 * Extends the PCR once in each boot. Records it first: a key sealed to the extended value would not
 * open at any boot.
 */
enum mortise_code volume_extend_pcr(const struct mortise_up_options *options,
				    struct mortise_error *err)
{
	struct mortise_key_sources sources = { .struct_size = sizeof(sources) };
	struct mortise_error ignored;
	enum mortise_code code;

	if (!options->extend_word || (volume_extended_pcrs() & UINT32_C(1) << options->extend_pcr))
		return MORTISE_OK;
	if (options->sources) {
		code = sized_input(SIZED(mortise_key_sources), &sources, options->sources, err);
		if (code)
			return code;
	}
	/* The TPM may extend the PCR even after the wait for it has ended: it is not canceled. */
	sources.events = NULL;
	code = volume_extended_pcr_store(options->extend_pcr, true, err);
	if (code)
		return code;
	code = mortise_tpm_extend(&sources, options->extend_pcr, options->extend_word, err);
	if (code && volume_extended_pcr_store(options->extend_pcr, false, &ignored))
		error_prefix(err, "PCR %u is recorded as extended, but was not",
			     options->extend_pcr);
	return code;
}
