/* SPDX-License-Identifier: MIT */
/* PCRs that were extended in this boot so that the TPM unseals no more: kept in /run/mortise. */
#ifndef VOLUME_EXTENDED_PCRS_H
#define VOLUME_EXTENDED_PCRS_H

#include <mortise.h>

/* Bit n: PCR n. 0 when nothing is stored. */
uint32_t volume_extended_pcrs(void);

/* Adds one before it is extended, or takes it out when that failed. */
MORTISE_MUST_CHECK enum mortise_code volume_extended_pcr_store(unsigned pcr, bool closed,
							       struct mortise_error *err);

#endif
