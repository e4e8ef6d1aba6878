/* SPDX-License-Identifier: MIT */
/* Changing a GUID partition table in memory: free ranges, new, larger and removed partitions. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/secret.h"
#include "disk/gpt_bytes.h"

struct range {
	uint64_t first;
	uint64_t count; /* sectors; 0: no range */
};

static uint64_t align_up(const struct gpt *gpt, uint64_t sector)
{
	return (sector + gpt->alignment - 1) / gpt->alignment * gpt->alignment;
}

/* The sectors from low to the next partition or the end, with an aligned end. */
static uint64_t find_end(const struct gpt *gpt, uint64_t low)
{
	uint64_t end = gpt->last_usable + 1;
	struct gpt_partition partition;

	for (uint32_t i = 0; i < gpt->entry_count; i++)
		if (gpt_partition(gpt, i, &partition) && partition.first >= low &&
		    partition.first < end)
			end = partition.first;
	return end / gpt->alignment * gpt->alignment;
}

/* The free range whose start, before alignment, is at sector low. */
static struct range free_range(const struct gpt *gpt, uint64_t low)
{
	const uint64_t first = align_up(gpt, low), end = find_end(gpt, low);

	return (struct range){ .first = first, .count = first < end ? end - first : 0 };
}

/*
 * Boards boot from fixed places that no partition covers: U-Boot on i.MX below 4 MiB, on Rockchip below
 * 16 MiB. On a disk with partitions, the space before them is not free up to here.
 */
#define LOADER_END (16u << 20) /* bytes */

static struct range first_range(const struct gpt *gpt)
{
	const uint64_t loader_end = LOADER_END / gpt->sector;
	struct range range = free_range(gpt, gpt->first_usable);

	if (range.first >= loader_end || !gpt_partition_count(gpt))
		return range;
	if (range.first + range.count <= loader_end)
		return (struct range){ .count = 0 };
	range.count -= loader_end - range.first;
	range.first = loader_end;
	return range;
}

/* Number i of the free ranges: before all partitions, then behind each. False: no more. */
static bool range_at(const struct gpt *gpt, uint32_t i, struct range *range)
{
	struct gpt_partition partition;

	*range = (struct range){ .count = 0 };
	if (i > gpt->entry_count)
		return false;
	if (!i)
		*range = first_range(gpt);
	else if (gpt_partition(gpt, i - 1, &partition))
		*range = free_range(gpt, partition.last + 1);
	return true;
}

uint64_t gpt_largest(const struct gpt *gpt)
{
	uint64_t largest = 0;
	struct range range;

	for (uint32_t i = 0; range_at(gpt, i, &range); i++)
		if (range.count > largest)
			largest = range.count;
	return largest * gpt->sector;
}

/* The smallest range that holds count sectors; of several, the first on the disk. */
static bool find_range(const struct gpt *gpt, uint64_t count, struct range *best)
{
	struct range range;

	*best = (struct range){ .count = 0 };
	for (uint32_t i = 0; range_at(gpt, i, &range); i++) {
		if (range.count < count)
			continue;
		if (!best->count || range.count < best->count ||
		    (range.count == best->count && range.first < best->first))
			*best = range;
	}
	return best->count;
}

enum mortise_code gpt_random_guid(uint8_t guid[static GPT_GUID_SIZE], struct mortise_error *err)
{
	enum mortise_code code = random_bytes(guid, GPT_GUID_SIZE, err);

	/* Version 4, variant 1 (RFC 4122). The version is in the third number, little-endian. */
	guid[7] = (uint8_t)((guid[7] & 0x0f) | 0x40);
	guid[8] = (uint8_t)((guid[8] & 0x3f) | 0x80);
	return code;
}

/* text: a valid GUID. */
static void encode_guid(const char *text, uint8_t guid[static GPT_GUID_SIZE])
{
	static const uint8_t order[GPT_GUID_SIZE] = { 3, 2, 1,	0,  5,	4,  7,	6,
						      8, 9, 10, 11, 12, 13, 14, 15 };

	for (unsigned i = 0; i < GPT_GUID_SIZE; i++) {
		char digits[3];

		text += *text == '-';
		memcpy(digits, text, 2);
		digits[2] = '\0';
		guid[order[i]] = (uint8_t)strtoul(digits, NULL, 16);
		text += 2;
	}
}

static void encode_name(uint8_t *entry, const char *name)
{
	for (unsigned at = 0; at < GPT_NAME_UNITS && name[at]; at++)
		entry[E_NAME + 2 * at] = (uint8_t)name[at];
}

enum mortise_code gpt_add(struct gpt *gpt, const char *type, const char *name, uint64_t size,
			  struct gpt_partition *added, struct mortise_error *err)
{
	/* Only the start is aligned to more than 1 MiB: META has exactly this size. */
	const uint64_t unit = GPT_UNIT;
	const uint64_t count = (size / unit + !!(size % unit)) * (unit / gpt->sector);
	uint8_t guid[GPT_GUID_SIZE], *entry;
	enum mortise_code code;
	struct range range;
	uint32_t i = 0;

	while (i < gpt->entry_count && !gpt_entry_is_free(gpt, i))
		i++;
	if (i == gpt->entry_count)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "all %u entries of the partition table are in use",
				 gpt->entry_count);
	if (!count || !find_range(gpt, count, &range))
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "no free range has %" PRIu64 " bytes; the largest has %" PRIu64,
				 size, gpt_largest(gpt));
	code = gpt_random_guid(guid, err);
	if (code)
		return code;
	entry = gpt_entry(gpt, i);
	memset(entry, 0, gpt->entry_size);
	encode_guid(type, entry + E_TYPE);
	memcpy(entry + E_GUID, guid, sizeof(guid));
	gpt_put64(entry + E_FIRST, range.first);
	gpt_put64(entry + E_LAST, range.first + count - 1);
	encode_name(entry, name);
	(void)gpt_partition(gpt, i, added);
	return MORTISE_OK;
}

uint64_t gpt_room(const struct gpt *gpt, unsigned number)
{
	struct gpt_partition partition;
	uint64_t end;

	if (!number || number > gpt->entry_count || !gpt_partition(gpt, number - 1, &partition))
		return 0;
	end = find_end(gpt, partition.last + 1);
	return end > partition.last + 1 ? (end - partition.last - 1) * gpt->sector : 0;
}

void gpt_grow(struct gpt *gpt, unsigned number, uint64_t bytes)
{
	uint8_t *last = gpt_entry(gpt, number - 1) + E_LAST;

	gpt_put64(last, gpt_get64(last) + bytes / gpt->sector);
}

void gpt_remove(struct gpt *gpt, unsigned number)
{
	memset(gpt_entry(gpt, number - 1), 0, gpt->entry_size);
}

static bool is_free(const struct gpt *gpt, const struct gpt_partition *wanted)
{
	struct gpt_partition other;

	if (wanted->first > wanted->last || wanted->first < gpt->first_usable ||
	    wanted->last > gpt->last_usable)
		return false;
	for (uint32_t i = 0; i < gpt->entry_count; i++)
		if (gpt_partition(gpt, i, &other) && other.first <= wanted->last &&
		    wanted->first <= other.last)
			return false;
	return true;
}

enum mortise_code gpt_place(struct gpt *gpt, const struct gpt_partition *wanted,
			    struct mortise_error *err)
{
	uint8_t *entry;

	if (!wanted->number || wanted->number > gpt->entry_count ||
	    !gpt_entry_is_free(gpt, wanted->number - 1) || !is_free(gpt, wanted))
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "the place of partition %u in the table is not free any more",
				 wanted->number);
	entry = gpt_entry(gpt, wanted->number - 1);
	memset(entry, 0, gpt->entry_size);
	memcpy(entry + E_TYPE, wanted->type, GPT_GUID_SIZE);
	memcpy(entry + E_GUID, wanted->guid, GPT_GUID_SIZE);
	gpt_put64(entry + E_FIRST, wanted->first);
	gpt_put64(entry + E_LAST, wanted->last);
	encode_name(entry, wanted->name);
	return MORTISE_OK;
}
