/* SPDX-License-Identifier: MIT */
/* The search for the PCR that has changed. */
#include "keys/sources/tpm/stale.h"

#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/pcr.h"

/* Those of which it is known that they hold something else than when object was sealed. */
static uint32_t changed(const struct keys_tpm_object *object,
			const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE])
{
	uint32_t pcrs = object->pcrs & object->values_known;

	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (!memcmp(values[pcr], object->pcr_values[pcr], KEYS_TPM_DIGEST_SIZE))
			pcrs &= ~(UINT32_C(1) << pcr);
	}
	return pcrs;
}

static enum mortise_code name_them(uint32_t pcrs, bool certain, bool or_key,
				   struct mortise_error *err)
{
	const bool several = certain && (pcrs & (pcrs - 1));
	char list[KEYS_TPM_PCR_LIST_MAX];

	keys_tpm_pcr_list(pcrs, certain ? "and " : "or ", list);
	return error_set(err, MORTISE_E_STALE, 0, "%s %s changed since it was sealed%s", list,
			 several ? "have" : "has",
			 or_key ? ", or the key that signs the policy of PCR 11 has" : "");
}

enum mortise_code keys_tpm_stale(const struct keys_tpm_object *object,
				 const struct keys_tpm_signed_policy *policy,
				 const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
				 struct mortise_error *err)
{
	const uint32_t known = object->pcrs & object->values_known;
	const uint32_t pcrs = changed(object, values);

	if (pcrs)
		return name_them(pcrs, true, false, err);
	if (known != object->pcrs)
		return name_them(object->pcrs & ~known, false, policy, err);
	/* Every PCR is as it was. */
	if (policy)
		return error_set(err, MORTISE_E_STALE, 0,
				 "the boot image brings another key for the policy of PCR %u than "
				 "the one that it was sealed under",
				 KEYS_TPM_SIGNED_PCR);
	return error_set(err, MORTISE_E_STALE, 0,
			 "sealing policy digest does not match, and no PCR has changed: the token "
			 "was altered");
}
