/* SPDX-License-Identifier: MIT */
/* The volumes to reset, between mortise_reset_find and mortise_reset_run. */
#ifndef VOLUME_RESET_H
#define VOLUME_RESET_H

#include "declared/plan.h"
#include "declared/locate.h"

struct reset_target {
	char name[MORTISE_NAME_MAX + 1];
	char label[MORTISE_NAME_MAX + 3]; /* of its partition; "": found by another device */
	char device[VOLUME_PATH_MAX];
	bool given;		/* device is from the options */
	struct disk_probe probe;
	dev_t number;		/* of the block device, or of the device that holds the file */
	ino_t inode;		/* 0 for a block device */
	uint64_t size;		/* bytes */
	bool in_use;
	struct mortise_reset_target shown; /* set when the caller requests it */
};

struct mortise_reset {
	struct reset_target *targets;
	size_t count;
	char meta[VOLUME_PATH_MAX];	/* the META partition of STATE, or "" */
	bool meta_has_state;		/* META describes how STATE is encrypted */
	bool erases_state;		/* STATE is one of the targets */
	char state[VOLUME_PATH_MAX];	/* the device of STATE, or "" */
	bool full;
	bool drop;			/* delete the partitions afterwards */
	struct known_list *known;	/* of the run that executes an order; NULL: read from STATE */
	const struct mortise_events *events;
};

/* The contents in words, as in "holds an interrupted format". */
const char *reset_content_text(const struct disk_probe *probe);

/* Sets reset->state, or "": not every machine has STATE. */
void reset_find_state(const struct mortise_reset_options *options, struct mortise_reset *reset);

/*
 * Finds the directory where STATE is mounted, or "", and the root of its mount points. *exists: this
 * machine has a STATE.
 */
void reset_find_state_dir(const struct mortise_reset *reset, char dir[static VOLUME_PATH_MAX],
			  char root[static VOLUME_PATH_MAX], bool *exists);

/* Resets one target, under the lock of runs. */
MORTISE_MUST_CHECK enum mortise_code reset_volume(const struct mortise_reset *reset,
						  const struct reset_target *target,
						  struct mortise_error *err);

/*
 * Removes the volume from the list of known volumes. If STATE is not mounted, only a notice says
 * so. Call it while the device still has the mark of an unfinished reset.
 */
MORTISE_MUST_CHECK enum mortise_code reset_forget_known(const struct mortise_reset *reset,
							const struct reset_target *target,
							struct mortise_error *err);

/*
 * Deletes the partition of a target, after it was reset: first from the kernel, then from the table
 * of its disk. MORTISE_E_BUSY: a program has opened it.
 */
MORTISE_MUST_CHECK enum mortise_code reset_drop(const struct mortise_reset *reset,
						const struct reset_target *target,
						struct mortise_error *err);
/* Checks before anything is changed that the target is a partition of a table that can be read. */
MORTISE_MUST_CHECK enum mortise_code reset_check_drop(const struct mortise_reset *reset,
						      const struct reset_target *target,
						      struct mortise_error *err);

#endif
