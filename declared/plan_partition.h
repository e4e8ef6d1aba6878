/* SPDX-License-Identifier: MIT */
/* Planning and creating the partitions of volumes that have none. */
#ifndef DECLARED_PLAN_PARTITION_H
#define DECLARED_PLAN_PARTITION_H

#include "declared/partition.h"
#include "declared/steps.h"

/*
 * Plans the partitions that the wanted volumes of plan lack, and META: plan->layout, which stays
 * NULL if they lack none. Fails only with MORTISE_E_MEMORY and MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code partition_layout_make(const struct volume_run *run,
							   struct mortise_plan *plan,
							   struct mortise_error *err);
/*
 * volume_locate(), except that disk selectors see which disk becomes the system disk of a blank machine.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_locate(const struct volume_run *run,
							const struct config_volume *volume,
							char *path, size_t room,
							struct mortise_error *err);

void partition_layout_free(struct partition_layout *layout);

/*
 * Finds the system disk in layout->list, to which it is added if it is not listed, and makes disk
 * selectors see it. *system is NULL if it is unknown, for the reason in layout->why.
 * MORTISE_E_DEVICE: options->system_disk names no disk, or another one than the machine has.
 */
MORTISE_MUST_CHECK enum mortise_code partition_find_system(const struct volume_run *run,
							   struct partition_layout *layout,
							   const struct disk **system,
							   struct mortise_error *err);

/*
 * Adds the PARTITION steps of a volume without a partition, and sets its device. why: why it was not
 * found. A FAIL or REFUSE step says why no partition is created. *created: the volume is to be
 * planned as an empty one.
 */
MORTISE_MUST_CHECK enum mortise_code partition_plan_missing(struct volume_run *run,
							    struct volume_plan *plan,
							    const struct mortise_error *why,
							    bool *created,
							    struct mortise_error *err);

/* Adds the step that creates META, if STATE exists without it. */
MORTISE_MUST_CHECK enum mortise_code
partition_plan_meta(const struct volume_run *run, struct volume_plan *plan,
		    struct mortise_error *err);

/* Is META a partition that the plan creates? */
bool partition_plans_meta(const struct mortise_plan *plan);

/* Sets the members of a PARTITION step. */
void partition_show(struct partition_planned *partition, struct mortise_step *step);

/* Adds the partitions that are planned on this disk to its table, which was read just now. */
void partition_add_planned(const struct partition_layout *layout, const char *disk,
			   struct gpt *gpt);

/*
 * Creates a planned partition of run->layout: clears its place, writes the table, and tells the
 * kernel. With STATE, all others that are wanted on its disk are created, too. MORTISE_E_CHANGED: the
 * disk is not as it was planned.
 */
MORTISE_MUST_CHECK enum mortise_code partition_create(const struct volume_run *run,
						      struct partition_planned *wanted,
						      struct mortise_error *err);

/*
 * Executes a PARTITION step, and waits for the device. With STATE, all wanted partitions of its disk
 * are created at once; the steps of the others find their partition then.
 */
MORTISE_MUST_CHECK enum mortise_code partition_do_step(struct volume_work *work,
						       const struct volume_step *step,
						       struct mortise_error *err);

#endif
