/* SPDX-License-Identifier: MIT */
/* The layout that dm-integrity chooses: initialize_superblock() in drivers/md/dm-integrity.c. */
#include "volume/integrity.h"

#define SECTOR	    512u
#define BLOCK	    8u	    /* sectors: the superblock, and the unit of tags and journal sections */
#define ENTRY_ROOM  504u    /* bytes of a sector of the journal without its commit ID */
#define JOURNAL_MAX 131072u /* sectors */
#define INTERLEAVE  32768u  /* sectors of data behind each run of tags */

/* At least one section; a 128th of the device. */
static uint64_t journal_sectors(uint64_t device_sectors, uint32_t tag_size, uint32_t sectors)
{
	const uint32_t entry = (8 + 8 * sectors + tag_size + 7) / 8 * 8; /* bytes */
	const uint32_t section = ENTRY_ROOM / entry * BLOCK * sectors + BLOCK;
	uint64_t journal = device_sectors / 128;

	if (journal > JOURNAL_MAX)
		journal = JOURNAL_MAX;
	return journal > section ? journal / section * section : section;
}

uint64_t volume_integrity_size(uint64_t device_size, uint64_t offset, uint32_t tag_size,
			       uint32_t sector_size)
{
	const uint32_t sectors = sector_size / SECTOR;
	const uint32_t block = BLOCK * SECTOR;
	/* Even the last run of tags, with less data behind it, is complete. */
	const uint64_t tags = (tag_size * (INTERLEAVE / sectors) + block - 1) / block * BLOCK;
	const uint64_t all = device_size / SECTOR;
	const uint64_t before = offset / SECTOR + BLOCK + journal_sectors(all, tag_size, sectors);
	uint64_t runs, rest;

	if (before >= all)
		return 0;
	runs = (all - before) / (INTERLEAVE + tags);
	rest = (all - before) % (INTERLEAVE + tags);
	rest = rest > tags ? rest - tags : 0;
	return (runs * INTERLEAVE + rest / BLOCK * BLOCK) * SECTOR;
}
