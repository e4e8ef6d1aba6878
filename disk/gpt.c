/* SPDX-License-Identifier: MIT */
/* Reading and checking a GUID partition table. */
#include "disk/gpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "disk/gpt_bytes.h"

uint32_t gpt_crc32(const uint8_t *bytes, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

void gpt_guid_text(const uint8_t guid[static GPT_GUID_SIZE], char text[static MORTISE_UUID_LEN + 1])
{
	snprintf(text, MORTISE_UUID_LEN + 1,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", guid[3],
		 guid[2], guid[1], guid[0], guid[5], guid[4], guid[7], guid[6], guid[8], guid[9],
		 guid[10], guid[11], guid[12], guid[13], guid[14], guid[15]);
}

void gpt_free(struct gpt **address)
{
	struct gpt *gpt = *address;

	if (!gpt)
		return;
	*address = NULL;
	free(gpt->entries);
	free(gpt);
}

/* UTF-16LE to UTF-8. Surrogate pairs, which no label of a volume has, become U+FFFD. */
static void decode_name(const uint8_t *units, char *name)
{
	char *end = name;

	for (unsigned i = 0; i < GPT_NAME_UNITS; i++) {
		unsigned unit = units[2 * i] | (unsigned)units[2 * i + 1] << 8;

		if (!unit)
			break;
		if (unit >= 0xd800 && unit < 0xe000)
			unit = 0xfffd;
		if (unit < 0x80) {
			*end++ = (char)unit;
		} else if (unit < 0x800) {
			*end++ = (char)(0xc0 | unit >> 6);
			*end++ = (char)(0x80 | (unit & 0x3f));
		} else {
			*end++ = (char)(0xe0 | unit >> 12);
			*end++ = (char)(0x80 | (unit >> 6 & 0x3f));
			*end++ = (char)(0x80 | (unit & 0x3f));
		}
	}
	*end = '\0';
}

bool gpt_partition(const struct gpt *gpt, uint32_t i, struct gpt_partition *partition)
{
	const uint8_t *entry = gpt_entry(gpt, i);

	if (gpt_entry_is_free(gpt, i))
		return false;
	partition->number = i + 1;
	partition->first = gpt_get64(entry + E_FIRST);
	partition->last = gpt_get64(entry + E_LAST);
	memcpy(partition->type, entry + E_TYPE, GPT_GUID_SIZE);
	memcpy(partition->guid, entry + E_GUID, GPT_GUID_SIZE);
	partition->attributes = gpt_get64(entry + E_ATTRIBUTES);
	decode_name(entry + E_NAME, partition->name);
	return true;
}

uint32_t gpt_partition_count(const struct gpt *gpt)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < gpt->entry_count; i++)
		count += !gpt_entry_is_free(gpt, i);
	return count;
}

/* The MBR protects a GPT if its only entry has the type EE. Others make a hybrid. */
static enum mortise_code check_mbr(const struct luks2_device *disk, struct gpt *gpt,
				   struct mortise_error *err)
{
	const uint8_t *mbr = gpt->mbr;
	unsigned protective = 0, others = 0;

	gpt->unprotected = !mbr[0] && !memcmp(mbr, mbr + 1, sizeof(gpt->mbr) - 1);
	if (gpt->unprotected)
		return MORTISE_OK;
	if (mbr[MBR_SIGNATURE] != 0x55 || mbr[MBR_SIGNATURE + 1] != 0xaa)
		return error_set(err, MORTISE_E_DEVICE, 0, "%s has no partition table", disk->path);
	for (const uint8_t *entry = mbr + MBR_TABLE; entry < mbr + MBR_SIGNATURE;
	     entry += MBR_ENTRY) {
		if (entry[MBR_TYPE] == MBR_PROTECTIVE)
			protective++;
		else if (entry[MBR_TYPE])
			others++;
	}
	if (protective == 1 && !others)
		return MORTISE_OK;
	if (protective)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "%s has a hybrid of a GPT and MBR partitions, which is not "
				 "supported",
				 disk->path);
	return error_set(err, MORTISE_E_DEVICE, 0, "%s has no GPT, but MBR partitions", disk->path);
}

static const char torn[] = "the checksum of its entries is wrong";

/* Values of a header that describe the entries. NULL: they are acceptable. */
static const char *check_header_values(const struct gpt *gpt, uint64_t self)
{
	const uint64_t array = gpt_array_sectors(gpt);

	if (gpt->entry_size < GPT_ENTRY_SIZE || gpt->entry_size > 4096 ||
	    gpt->entry_size & (gpt->entry_size - 1))
		return "the entry size is invalid";
	if (!gpt->entry_count || gpt->entry_count > GPT_ENTRIES_MAX)
		return "the number of entries is not from 1 to 1024";
	if (gpt->entries_at < 2 || gpt->entries_at >= gpt->sectors ||
	    gpt->sectors - gpt->entries_at < array)
		return "the entries are outside the disk";
	if (gpt->first_usable > gpt->last_usable || gpt->last_usable >= gpt->sectors)
		return "the usable range is outside the disk";
	if (gpt->entries_at <= gpt->last_usable && gpt->first_usable < gpt->entries_at + array)
		return "the entries are in the usable range";
	if (self >= gpt->first_usable && self <= gpt->last_usable)
		return "the header is in the usable range";
	return NULL;
}

/*
 * Reads the copy whose header is at sector self. *other receives the sector of the other header.
 * *why: the rule that the copy breaks, or NULL. A disk that was enlarged or shrunk has its second
 * copy elsewhere than at its end.
 */
static enum mortise_code read_copy(const struct luks2_device *disk, struct gpt *gpt, uint64_t self,
				   uint64_t *other, const char **why, struct mortise_error *err)
{
	uint8_t header[4096];
	uint32_t size, crc;
	size_t bytes;
	enum mortise_code code;

	*why = "it is outside the disk";
	if (self >= gpt->sectors)
		return MORTISE_OK;
	code = luks2_device_read(disk, header, gpt->sector, self * gpt->sector, err);
	if (code)
		return code;
	*why = "it has no signature";
	if (memcmp(header + H_SIGNATURE, GPT_SIGNATURE, strlen(GPT_SIGNATURE)) != 0)
		return MORTISE_OK;
	size = gpt_get32(header + H_SIZE);
	*why = "its revision or size is unknown";
	if (gpt_get32(header + H_REVISION) != GPT_REVISION || size < GPT_HEADER_SIZE ||
	    size > gpt->sector)
		return MORTISE_OK;
	crc = gpt_get32(header + H_CRC);
	gpt_put32(header + H_CRC, 0);
	*why = "its checksum is wrong";
	if (gpt_crc32(header, size) != crc)
		return MORTISE_OK;
	*why = "it was made for another place";
	if (gpt_get64(header + H_SELF) != self)
		return MORTISE_OK;
	*other = gpt_get64(header + H_OTHER);
	memcpy(gpt->guid, header + H_GUID, GPT_GUID_SIZE);
	gpt->first_usable = gpt_get64(header + H_FIRST_USABLE);
	gpt->last_usable = gpt_get64(header + H_LAST_USABLE);
	gpt->entries_at = gpt_get64(header + H_ENTRIES_AT);
	gpt->entry_count = gpt_get32(header + H_ENTRY_COUNT);
	gpt->entry_size = gpt_get32(header + H_ENTRY_SIZE);
	*why = check_header_values(gpt, self);
	if (*why)
		return MORTISE_OK;
	bytes = (size_t)gpt->entry_count * gpt->entry_size;
	free(gpt->entries);
	gpt->entries = malloc(gpt_array_size(gpt));
	if (!gpt->entries)
		return error_memory(err);
	code = luks2_device_read(disk, gpt->entries, gpt_array_size(gpt),
				 gpt->entries_at * gpt->sector, err);
	if (!code && gpt_crc32(gpt->entries, bytes) != gpt_get32(header + H_ENTRIES_CRC))
		*why = torn;
	return code;
}

static enum mortise_code check_entries(const struct luks2_device *disk, const struct gpt *gpt,
				       struct mortise_error *err)
{
	struct gpt_partition a, b;

	for (uint32_t i = 0; i < gpt->entry_count; i++) {
		if (!gpt_partition(gpt, i, &a))
			continue;
		if (a.first > a.last || a.first < gpt->first_usable || a.last > gpt->last_usable)
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "partition %u of %s (sectors %" PRIu64 " to %" PRIu64
					 ") is outside the usable range of its table",
					 a.number, disk->path, a.first, a.last);
		for (uint32_t j = 0; j < i; j++)
			if (gpt_partition(gpt, j, &b) && a.first <= b.last && b.first <= a.last)
				return error_set(err, MORTISE_E_CORRUPT, 0,
						 "partitions %u and %u of %s overlap", b.number,
						 a.number, disk->path);
	}
	return MORTISE_OK;
}

static struct gpt *new_gpt(const struct luks2_device *disk)
{
	struct gpt *gpt = calloc(1, sizeof(*gpt));
	uint64_t alignment = UINT64_C(1) << 20;

	if (!gpt)
		return NULL;
	gpt->sector = disk->logical_block;
	gpt->sectors = disk->size / gpt->sector;
	/* Some USB bridges report an optimal size that is not a multiple of the physical block. */
	if (disk->optimal_io > alignment && disk->optimal_io % disk->physical_block == 0)
		alignment = disk->optimal_io;
	gpt->alignment = alignment / gpt->sector;
	return gpt;
}

/* A disk that grew: the second copy moves to its end, and the sectors up to it become usable. */
static void adapt_to_disk(struct gpt *gpt, uint64_t second)
{
	if (second + 1 >= gpt->sectors)
		return;
	gpt->grown = true;
	gpt->last_usable = gpt->sectors - 2 - gpt_array_sectors(gpt);
}

/* A write of the table must not reach a partition: each copy is outside of the usable range. */
static enum mortise_code check_room(const struct luks2_device *disk, const struct gpt *gpt,
				    struct mortise_error *err)
{
	const uint64_t array = gpt_array_sectors(gpt);

	if (gpt->entries_at + array <= gpt->first_usable &&
	    gpt->last_usable + array + 2 <= gpt->sectors)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "the usable range in the partition table of %s (sectors %" PRIu64
			 " to %" PRIu64 ") leaves no room for both copies of the table",
			 disk->path, gpt->first_usable, gpt->last_usable);
}

static bool differ(const struct gpt *a, const struct gpt *b)
{
	return memcmp(a->guid, b->guid, GPT_GUID_SIZE) != 0 || a->first_usable != b->first_usable ||
	       a->last_usable != b->last_usable || a->entry_count != b->entry_count ||
	       a->entry_size != b->entry_size ||
	       memcmp(a->entries, b->entries, (size_t)a->entry_count * a->entry_size) != 0;
}

/*
 * Reads the second copy. On a disk that grew, a write that was cut off has moved it to the end, but
 * the first header still names its old place. *second becomes the place where it is.
 */
static enum mortise_code read_second(const struct luks2_device *disk, struct gpt *copy,
				     bool is_torn, uint64_t *second, uint64_t *first,
				     const char **why, struct mortise_error *err)
{
	const uint64_t last = copy->sectors - 1;
	enum mortise_code code;

	if (is_torn && *second != last) {
		code = read_copy(disk, copy, last, first, why, err);
		if (code || !*why) {
			*second = last;
			return code;
		}
	}
	return read_copy(disk, copy, *second, first, why, err);
}

/* Chooses a valid copy: the first unless it is damaged. */
static enum mortise_code read_copies(const struct luks2_device *disk, struct gpt *gpt,
				     struct mortise_error *err)
{
	const char *first_why, *second_why = NULL;
	uint64_t second = gpt->sectors - 1, first = 1;
	struct gpt copy = *gpt;
	enum mortise_code code;

	copy.entries = NULL;
	code = read_copy(disk, gpt, 1, &second, &first_why, err);
	if (code)
		return code;
	gpt->first_damaged = first_why;
	/* Known only from a header with a valid checksum. */
	if (second >= gpt->sectors)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the partition table of %s is for a disk of at least %" PRIu64
				 " bytes, but the disk has %" PRIu64,
				 disk->path, (second + 1) * gpt->sector, disk->size);
	code = read_second(disk, &copy, first_why == torn, &second, &first, &second_why, err);
	if (!code && first_why && second_why && gpt->unprotected)
		code = error_set(err, MORTISE_E_DEVICE, 0, "%s has no partition table", disk->path);
	else if (!code && first_why && second_why)
		code = error_set(err, MORTISE_E_CORRUPT, 0,
				 "both copies of the partition table of %s are damaged (first: %s; "
				 "second: %s)",
				 disk->path, first_why, second_why);
	if (!code && first_why) {
		/*
		 * The second copy names its own entries. Those of the first may be behind a boot
		 * loader; if its header does not say, they are behind it.
		 */
		copy.entries_at = first_why == torn ? gpt->entries_at : 2;
		free(gpt->entries);
		*gpt = copy;
		copy.entries = NULL;
		gpt->first_damaged = true;
		gpt->first_torn = first_why == torn;
	} else if (!code) {
		gpt->second_damaged = second_why || first != 1 || differ(gpt, &copy);
	}
	free(copy.entries);
	adapt_to_disk(gpt, second);
	return code ? code : check_room(disk, gpt, err);
}

enum mortise_code gpt_read(const struct luks2_device *disk, struct gpt **out,
			   struct mortise_error *err)
{
	struct gpt *gpt = new_gpt(disk);
	enum mortise_code code;

	if (!gpt)
		return error_memory(err);
	if (gpt->sectors < 3) {
		code = error_set(err, MORTISE_E_DEVICE, 0, "%s is too small for a partition table",
				 disk->path);
		goto out;
	}
	code = luks2_device_read(disk, gpt->mbr, sizeof(gpt->mbr), 0, err);
	if (!code)
		code = check_mbr(disk, gpt, err);
	if (!code)
		code = read_copies(disk, gpt, err);
	if (!code)
		code = check_entries(disk, gpt, err);
out:
	if (code)
		gpt_free(&gpt);
	else
		*out = gpt;
	return code;
}

enum mortise_code gpt_new(const struct luks2_device *disk, struct gpt **out,
			  struct mortise_error *err)
{
	struct gpt *gpt = new_gpt(disk);
	uint64_t array;
	enum mortise_code code;

	if (!gpt)
		return error_memory(err);
	gpt->entry_count = GPT_ENTRIES;
	gpt->entry_size = GPT_ENTRY_SIZE;
	gpt->entries_at = 2;
	gpt->first_usable = gpt->alignment;
	array = gpt_array_sectors(gpt);
	if (gpt->sectors < 2 * gpt->alignment + array + 1) {
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "%s is too small for a partition table and a partition",
				 disk->path);
		goto out;
	}
	gpt->last_usable = gpt->sectors - 2 - array;
	gpt->first_damaged = gpt->second_damaged = true;
	gpt->entries = calloc(1, gpt_array_size(gpt));
	code = gpt->entries ? gpt_random_guid(gpt->guid, err) : error_memory(err);
out:
	if (code)
		gpt_free(&gpt);
	else
		*out = gpt;
	return code;
}
