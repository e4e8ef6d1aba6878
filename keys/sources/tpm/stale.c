/* SPDX-License-Identifier: MIT */
/* Finds the PCR that has changed. */
#include "keys/sources/tpm/stale.h"

#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/pcr.h"

/* Returns the PCRs whose values are known to differ from those when object was sealed. */
static uint32_t find_changed(const struct keys_tpm_object *object,
			     const uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE])
{
	uint32_t pcrs = object->pcrs & object->values_known;

	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (!memcmp(values[pcr], object->pcr_values[pcr], KEYS_TPM_DIGEST_SIZE))
			pcrs &= ~(UINT32_C(1) << pcr);
	}
	return pcrs;
}

static enum mortise_code report_changed(uint32_t pcrs, bool certain, bool or_key,
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
				 uint32_t *changed, struct mortise_error *err)
{
	const uint32_t known = object->pcrs & object->values_known;

	*changed = find_changed(object, values);
	if (*changed)
		return report_changed(*changed, true, false, err);
	if (known != object->pcrs)
		return report_changed(object->pcrs & ~known, false, policy, err);
	/* No PCR has changed. */
	if (policy)
		return error_set(err, MORTISE_E_STALE, 0,
				 "it was sealed to another key for the policy of PCR %u than the "
				 "key in this boot image",
				 KEYS_TPM_SIGNED_PCR);
	return error_set(err, MORTISE_E_STALE, 0,
			 "sealing policy digest does not match, and no PCR has changed: the token "
			 "was modified");
}
