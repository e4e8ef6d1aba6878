/* SPDX-License-Identifier: MIT */
/* Volumes that do not depend on each other, worked on by several threads. */
#ifndef DECLARED_WAVE_H
#define DECLARED_WAVE_H

#include "declared/plan.h"

/*
 * Calls work for the volumes of plans from first on, each once. There are as many threads as
 * processors, or more when a key comes from a KMS, which is waited for; the memory budget of the
 * run limits derivations. Ends early, with the first failure, when a call fails.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_wave(const struct mortise_plan *plans, size_t first,
	    enum mortise_code (*work)(void *context, size_t i, struct mortise_error *err),
	    void *context, struct mortise_error *err);

#endif
