/* SPDX-License-Identifier: MIT */
/* What a reset has found, between mortise_reset_find and mortise_reset_run. */
#ifndef VOLUME_RESET_H
#define VOLUME_RESET_H

#include "declared/plan.h"

struct reset_target {
	char name[MORTISE_NAME_MAX + 1];
	char device[VOLUME_PATH_MAX];
	struct disk_probe probe;
	dev_t number;		/* block: of the device; file: where it lies */
	ino_t inode;		/* 0 for a block device */
	uint64_t size;		/* bytes */
	bool in_use;
	struct mortise_reset_target shown; /* filled when a caller asks for it */
};

struct mortise_reset {
	struct reset_target *targets;
	size_t count;
	char meta[VOLUME_PATH_MAX];	/* the META partition of STATE, "" when there is none */
	bool meta_knows;		/* it says how STATE is encrypted */
	bool full;
	const struct mortise_events *events;
};

/* What a person calls that content. */
const char *reset_content_text(const struct disk_probe *probe);

#endif
