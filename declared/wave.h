/* SPDX-License-Identifier: MIT */
/* Processing independent volumes in several threads. */
#ifndef DECLARED_WAVE_H
#define DECLARED_WAVE_H

#include "declared/plan.h"

/*
 * Calls work once for each volume of plans, starting with volume first. Uses one thread for each
 * processor, or more if a volume has a kms key, because waiting for a KMS needs no processor; the
 * memory budget of the run limits derivations. Stops after a failure and returns the first one.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_wave(const struct mortise_plan *plans, size_t first,
	    enum mortise_code (*work)(void *context, size_t i, struct mortise_error *err),
	    void *context, struct mortise_error *err);

#endif
