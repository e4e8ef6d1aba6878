/* SPDX-License-Identifier: MIT */
/* The layout of a GUID partition table, for the files gpt*.c alone. */
#ifndef DISK_GPT_BYTES_H
#define DISK_GPT_BYTES_H

#include <endian.h>
#include <string.h>

#include "disk/gpt.h"

#define GPT_SIGNATURE	 "EFI PART"
#define GPT_REVISION	 0x00010000u
#define GPT_HEADER_SIZE	 92u	/* bytes of the header that this revision defines */
#define GPT_ENTRY_SIZE	 128u	/* bytes of an entry that this revision defines */
#define GPT_ENTRIES	 128u	/* entries of a new table */

/* Byte offsets in the header. */
enum {
	H_SIGNATURE = 0,
	H_REVISION = 8,
	H_SIZE = 12,
	H_CRC = 16,
	H_RESERVED = 20,
	H_SELF = 24,
	H_OTHER = 32,
	H_FIRST_USABLE = 40,
	H_LAST_USABLE = 48,
	H_GUID = 56,
	H_ENTRIES_AT = 72,
	H_ENTRY_COUNT = 80,
	H_ENTRY_SIZE = 84,
	H_ENTRIES_CRC = 88,
};

/* Byte offsets in an entry. */
enum {
	E_TYPE = 0,
	E_GUID = 16,
	E_FIRST = 32,
	E_LAST = 40,
	E_ATTRIBUTES = 48,
	E_NAME = 56,
};

/* The protective MBR: four entries of 16 bytes. */
#define MBR_TABLE	446u
#define MBR_ENTRY	16u
#define MBR_TYPE	4u	/* offset in an entry */
#define MBR_START	8u
#define MBR_LENGTH	12u
#define MBR_SIGNATURE	510u
#define MBR_PROTECTIVE	0xee

static inline uint32_t gpt_get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static inline uint64_t gpt_get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static inline void gpt_put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void gpt_put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

MORTISE_MUST_CHECK enum mortise_code gpt_random_guid(uint8_t guid[static GPT_GUID_SIZE],
						     struct mortise_error *err);

/* CRC-32 as in zlib. */
uint32_t gpt_crc32(const uint8_t *bytes, size_t size);

/* Sectors of the entry array. A shorter one than usual makes room for a boot loader behind it. */
static inline uint64_t gpt_array_sectors(const struct gpt *gpt)
{
	return ((uint64_t)gpt->entry_count * gpt->entry_size + gpt->sector - 1) / gpt->sector;
}

/* The same in bytes, if the number and size of the entries are valid: at most 4 MiB. */
static inline size_t gpt_array_size(const struct gpt *gpt)
{
	return (size_t)gpt_array_sectors(gpt) * gpt->sector;
}

static inline uint8_t *gpt_entry(const struct gpt *gpt, uint32_t i)
{
	return gpt->entries + (size_t)i * gpt->entry_size;
}

static inline bool gpt_entry_is_free(const struct gpt *gpt, uint32_t i)
{
	static const uint8_t unused[GPT_GUID_SIZE];

	return !memcmp(gpt_entry(gpt, i) + E_TYPE, unused, sizeof(unused));
}

#endif
