/* SPDX-License-Identifier: MIT */
/* Resets that were ordered earlier, as a part of a run (declared/reset/orders.h). */
#ifndef DECLARED_RESET_ORDERED_H
#define DECLARED_RESET_ORDERED_H

#include "declared/meta_state.h"
#include "declared/state_store.h"
#include "declared/steps.h"

#define RESET_ORDERED "ordered by `mortise reset --staged`"

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

/*
 * The orders in META, which STATE is among. The list is empty if this STATE has no META, or META no
 * orders. Clear it with reset_orders_clear(), also after a failure.
 */
MORTISE_MUST_CHECK enum mortise_code reset_meta_load(const struct mortise_up_options *options,
						     struct volume_meta_place *place,
						     struct reset_orders *orders,
						     struct mortise_error *err);
/* Adds the orders in META to orders, in memory, to show them. */
void reset_meta_show(const struct mortise_up_options *options, struct reset_orders *orders);
/* Writes them to META at path, or deletes them if STATE is not among them. */
MORTISE_MUST_CHECK enum mortise_code reset_meta_store(const char *path,
						      const struct mortise_events *events,
						      const struct reset_orders *orders,
						      struct mortise_error *err);

/*
 * Executes the orders in META, under the lock of runs and before anything is planned or opened.
 * A notice reports the outcome.
 */
void reset_do_meta(const struct mortise_up_options *options);

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
