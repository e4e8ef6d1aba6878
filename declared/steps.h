/* SPDX-License-Identifier: MIT */
/* What each step of a plan does to its volume. */
#ifndef VOLUME_STEPS_H
#define VOLUME_STEPS_H

#include "declared/plan.h"

/* What the steps of one volume share. */
struct volume_work {
	struct volume_run *run;
	struct volume_plan *plan;
	struct volume_result *result;
	bool fresh; /* this run made the file system */
};

/* Executes step i, after it has compared the device with the plan once more. */
MORTISE_MUST_CHECK enum mortise_code volume_do_step(struct volume_work *work, size_t i,
						    struct mortise_error *err);

#endif
