/* SPDX-License-Identifier: MIT */
/* PCRs that --extend-pcr has extended in this boot, recorded in /run/mortise. */
#ifndef VOLUME_EXTENDED_PCRS_H
#define VOLUME_EXTENDED_PCRS_H

#include <mortise.h>

/* Bit n: PCR n. 0 if none is recorded. */
uint32_t volume_extended_pcrs(void);

/* Records a PCR before it is extended, or removes it if extending failed. */
MORTISE_MUST_CHECK enum mortise_code volume_extended_pcr_store(unsigned pcr, bool closed,
							       struct mortise_error *err);

#endif
