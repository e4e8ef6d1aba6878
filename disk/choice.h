/* SPDX-License-Identifier: MIT */
/* Disks on which partitions may be created, and why others are refused. */
#ifndef DISK_CHOICE_H
#define DISK_CHOICE_H

#include "base/disk_facts.h"
#include "disk/gpt.h"

struct disk_candidate {
	const struct disk_facts *facts;
	bool blank;		/* no contents at all: gpt is new, and not on the disk yet */
	struct gpt *gpt;	/* NULL: the disk is refused */
	bool has_table;		/* with this GUID, also if the disk is refused */
	uint8_t guid[GPT_GUID_SIZE];
	char reason[256];	/* why it is refused: "holds ext4" */
};

/*
 * Examines a disk, and reads only. It is accepted if it is empty as a volume that is to be
 * formatted, or has a valid table that the kernel has read as it is. Partitions in use do not
 * matter, but nothing may use the disk as a whole. The caller frees candidate->gpt. Fails only with
 * MORTISE_E_MEMORY and MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code disk_examine(const struct disk_facts *facts,
						  const struct mortise_events *events,
						  struct disk_candidate *candidate,
						  struct mortise_error *err);

/*
 * Refuses disks with the same GUID: one is a copy of the other, and what is on the copy must not be
 * taken for the original.
 */
void disk_refuse_copies(struct disk_candidate *candidates, size_t count);

/*
 * May partitions be added to this table of the disk? why: why not. If its first copy is damaged, it
 * must have no partitions; and if it has none, the disk must have no signature of anything else. A
 * block device must have the same partitions in the kernel.
 */
MORTISE_MUST_CHECK enum mortise_code disk_check_table(const struct luks2_device *disk,
						      const struct gpt *gpt,
						      struct mortise_error *why);

/*
 * Was a write of this table cut off, so that it can be restored from the second copy? Not if the
 * disk has a signature of anything else. gpt_write() finishes the second copy, which is then at the
 * end of the disk, before it begins with the first. The end of a disk that is larger than its table
 * may belong to something else.
 */
bool disk_is_cut_off(const struct luks2_device *disk, const struct gpt *gpt);

/* The path of partition number on this disk, as the kernel names it: "/dev/sda2", "/dev/nvme0n1p2". */
void disk_partition_path(const char *disk, unsigned number, char *path, size_t room);

#endif
