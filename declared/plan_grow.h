/* SPDX-License-Identifier: MIT */
/* Growing the partition of a volume into the free space behind it. */
#ifndef DECLARED_PLAN_GROW_H
#define DECLARED_PLAN_GROW_H

#include "declared/steps.h"
#include "disk/gpt.h"

/*
 * The size that a partition may have, which has size bytes and room bytes of free space behind it:
 * maxSize is resolved against both together. Never less than size.
 */
uint64_t volume_grown_size(const struct config_size *max, uint64_t size, uint64_t room);

/*
 * Adds a GROW step if the volume grows at each boot, or because options->grow says so, and there is
 * room for it. A disk whose table cannot be read gets a notice: its volume is opened as it is.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_grow(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/* Executes the step: writes the table and tells the kernel. */
MORTISE_MUST_CHECK enum mortise_code volume_do_grow(struct volume_work *work,
						    const struct volume_step *step,
						    struct mortise_error *err);

/* Does the file system of this volume grow when it is mounted? */
bool volume_filesystem_grows(const struct volume_run *run, const struct config_volume *volume);

/*
 * Grows the file system that this run has just mounted to the end of its device. What goes wrong is
 * reported, and does not keep the volume closed.
 */
void volume_grow_mounted(struct volume_work *work, const char *device);

/* The same for a volume that is open already, with its mapping: adds a GROW_FS step, executes it. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_grow_open(const struct volume_run *run,
							   struct volume_plan *plan,
							   struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code volume_do_grow_open(struct volume_work *work,
							 struct mortise_error *err);

/* Adds a GROW step for at least so many bytes, whatever is declared, if the free space allows it. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_grow_by(struct volume_run *run,
							 struct volume_plan *plan, uint64_t bytes,
							 struct mortise_error *err);

#endif
