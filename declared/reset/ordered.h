/* SPDX-License-Identifier: MIT */
/* Resets that were ordered earlier, as a part of a run (declared/reset/orders.h). */
#ifndef DECLARED_RESET_ORDERED_H
#define DECLARED_RESET_ORDERED_H

#include "declared/steps.h"

/* The order to erase this volume, or NULL. */
const struct reset_order *reset_find_ordered(const struct reset_orders *orders,
					     const struct config_volume *volume);

/*
 * Adds a RESET step if the volume has an order, and sets plan->reset. A volume that the run erases
 * is then planned as an empty one. Call it after the device was probed.
 */
MORTISE_MUST_CHECK enum mortise_code reset_plan_ordered(struct volume_run *run,
							struct volume_plan *plan,
							struct mortise_error *err);

/* Adds the step that refuses a device with the mark of an unfinished reset. */
MORTISE_MUST_CHECK enum mortise_code reset_plan_unfinished(const struct volume_run *run,
							   struct volume_plan *plan,
							   struct mortise_error *err);

/* Executes a RESET step. The device is compared with the order once more. */
MORTISE_MUST_CHECK enum mortise_code reset_do_ordered(struct volume_work *work,
						      struct mortise_error *err);

/*
 * Executes the orders for volumes that the configuration does not declare, once STATE is mounted,
 * unless the options name volumes. A failure becomes a notice.
 */
void reset_do_undeclared(struct volume_run *run);

#endif
