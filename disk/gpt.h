/* SPDX-License-Identifier: MIT */
/*
 * A GUID partition table (UEFI Specification 2.10, chapter 5), and changes to it. A table is read,
 * changed in memory, and written; nothing else touches the disk.
 */
#ifndef DISK_GPT_H
#define DISK_GPT_H

#include "luks2/device.h"

#define GPT_ENTRIES_MAX	1024u	/* entries of a table that is accepted; other programs make 128 */
#define GPT_GUID_SIZE	16u
#define GPT_NAME_UNITS	36u	/* UTF-16 units of a name */
#define GPT_NAME_SIZE	(3 * GPT_NAME_UNITS + 1) /* bytes as UTF-8, with the final 0 */

#define GPT_UNIT	(UINT64_C(1) << 20) /* bytes: new partitions have multiples of it */

/* Partition types, as text. */
#define GPT_TYPE_LINUX	"0fc63daf-8483-4772-8e79-3d69d8477de4"
#define GPT_TYPE_SWAP	"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"

struct gpt {
	uint32_t sector;	/* bytes of a logical sector: 512 to 4096 */
	uint64_t sectors;	/* of the disk */
	uint64_t alignment;	/* of new partitions, in sectors: 1 MiB or the optimal I/O size */
	uint8_t guid[GPT_GUID_SIZE]; /* of the disk */
	uint64_t first_usable;	/* sectors that partitions may occupy */
	uint64_t last_usable;
	uint64_t entries_at;	/* sector of the first copy of the entries */
	uint32_t entry_count;
	uint32_t entry_size;	/* bytes */
	uint8_t *entries;
	uint8_t mbr[512];	/* the protective MBR, with any boot code */
	bool first_damaged;	/* this copy is invalid */
	bool first_torn;	/* and only its entries are: a write of the table was cut off */
	bool second_damaged;	/* this copy is invalid, or differs from the first */
	bool unprotected;	/* the MBR is all zero: gpt_write() was interrupted on a new disk */
	bool grown;		/* the disk is larger than the table */
};

struct gpt_partition {
	unsigned number;	/* from 1 */
	uint64_t first;		/* sectors */
	uint64_t last;
	uint8_t type[GPT_GUID_SIZE]; /* in the byte order of the disk, as the next */
	uint8_t guid[GPT_GUID_SIZE];
	uint64_t attributes;
	char name[GPT_NAME_SIZE]; /* UTF-8; half a surrogate pair is U+FFFD */
};

/*
 * Reads the table of a disk: its first copy or, if that is damaged, the second one. A table is
 * accepted if its partitions lie in the usable range without overlaps, and both copies outside of
 * it. MORTISE_E_DEVICE: the disk has no GPT, or a hybrid of a GPT and MBR partitions.
 * MORTISE_E_CORRUPT: the text names the rule; also for a disk that is smaller than its table. The
 * caller frees *out with gpt_free().
 */
MORTISE_MUST_CHECK enum mortise_code gpt_read(const struct luks2_device *disk, struct gpt **out,
					      struct mortise_error *err);

/*
 * An empty table with a random GUID for a disk without contents, which the caller has checked. It
 * is to be written before a partition is added: gpt_read() accepts each state that a power cut can
 * leave then. MORTISE_E_NO_SPACE: the disk is too small.
 */
MORTISE_MUST_CHECK enum mortise_code gpt_new(const struct luks2_device *disk, struct gpt **out,
					     struct mortise_error *err);
void gpt_free(struct gpt **gpt);

/* Reads entry i, from 0 to gpt->entry_count - 1. False: it is free. */
bool gpt_partition(const struct gpt *gpt, uint32_t i, struct gpt_partition *partition);

/* How many partitions the table has. */
uint32_t gpt_partition_count(const struct gpt *gpt);

static inline uint64_t gpt_size(const struct gpt *gpt, const struct gpt_partition *partition)
{
	return (partition->last - partition->first + 1) * gpt->sector;
}

/* Bytes of the largest partition that gpt_add() can place. */
uint64_t gpt_largest(const struct gpt *gpt);

/*
 * Adds a partition of size bytes, rounded up to GPT_UNIT, in the lowest free entry and in the
 * smallest free range that holds it. No other entry changes. name: at most GPT_NAME_UNITS ASCII
 * characters. MORTISE_E_NO_SPACE: no range or no entry is free.
 */
MORTISE_MUST_CHECK enum mortise_code gpt_add(struct gpt *gpt, const char *type, const char *name,
					     uint64_t size, struct gpt_partition *added,
					     struct mortise_error *err);

/*
 * Adds a partition that gpt_add() has planned, in its entry and at its place. Its name is ASCII.
 * MORTISE_E_CHANGED: entry or place are not free.
 */
MORTISE_MUST_CHECK enum mortise_code gpt_place(struct gpt *gpt, const struct gpt_partition *wanted,
					       struct mortise_error *err);

/* Bytes by which partition number can grow into the free range directly behind it. */
uint64_t gpt_room(const struct gpt *gpt, unsigned number);

/* Moves the end of partition number by bytes, at most gpt_room() and a multiple of the sector. */
void gpt_grow(struct gpt *gpt, unsigned number, uint64_t bytes);

/* Frees the entry of partition number. */
void gpt_remove(struct gpt *gpt, unsigned number);

/*
 * Writes both copies and the protective MBR: the second copy first, and a flush after each entry
 * array and each header, so that after a power cut one copy is whole, with the old or with the new
 * contents. disk has been opened for writing. MORTISE_E_NOT_EMPTY: nothing was written, because the
 * new end of the table would overwrite the superblock of a RAID array.
 */
MORTISE_MUST_CHECK enum mortise_code gpt_write(const struct gpt *gpt,
					       const struct luks2_device *disk,
					       struct mortise_error *err);

/* MORTISE_E_NOT_EMPTY: gpt_write() would refuse to write this table. */
MORTISE_MUST_CHECK enum mortise_code gpt_check_end(const struct gpt *gpt,
						   const struct luks2_device *disk,
						   struct mortise_error *err);

/* GUIDs are stored with their first three numbers in little-endian order. */
void gpt_guid_text(const uint8_t guid[static GPT_GUID_SIZE],
		   char text[static MORTISE_UUID_LEN + 1]);

#endif
