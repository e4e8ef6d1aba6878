/* SPDX-License-Identifier: MIT */
/* Executing one step of a plan. */
#ifndef VOLUME_STEPS_H
#define VOLUME_STEPS_H

#include "declared/plan.h"

/* The state that the steps of one volume share. */
struct volume_work {
	struct volume_run *run;
	struct volume_plan *plan;
	struct volume_result *result;
	bool fresh; /* this run created the file system */
};

/* Executes step i. Before its first write, compares the device with the plan again. */
MORTISE_MUST_CHECK enum mortise_code volume_do_step(struct volume_work *work, size_t i,
						    struct mortise_error *err);

#endif
