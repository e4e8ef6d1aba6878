/* SPDX-License-Identifier: MIT */
#include "meta/adv_old.h"

#include <string.h>

#include "base/secret.h"

/*
 * A half, little-endian as syslinux writes it: magic, checksum, entries, magic. An entry is one
 * byte of tag, one byte of size, and the value.
 */
#define MAGIC1	  UINT32_C(0x5a2d2fa5)
#define SUM	  UINT32_C(0xa3041767) /* sum of the checksum and all words of the entries */
#define MAGIC2	  UINT32_C(0xdd28bf64)
#define CHECKSUM  4u
#define ENTRIES	  8u
#define MAGIC2_AT (META_ADV_OLD_HALF - 4u)
#define HEAD	  2u

_Static_assert(ENTRIES + META_ADV_OLD_CAPACITY == MAGIC2_AT, "entries end where the magic begins");

static uint32_t load_le32(const uint8_t *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void store_le32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
	at[2] = (uint8_t)(value >> 16);
	at[3] = (uint8_t)(value >> 24);
}

static uint32_t compute_checksum(const uint8_t *half)
{
	uint32_t sum = SUM;

	for (size_t at = ENTRIES; at < MAGIC2_AT; at += 4)
		sum -= load_le32(half + at);
	return sum;
}

bool meta_adv_old_has_magic(const uint8_t *half)
{
	return load_le32(half) == MAGIC1 || load_le32(half + MAGIC2_AT) == MAGIC2;
}

bool meta_adv_old_valid(const uint8_t *half)
{
	return load_le32(half) == MAGIC1 && load_le32(half + MAGIC2_AT) == MAGIC2 &&
	       load_le32(half + CHECKSUM) == compute_checksum(half);
}

/* Bytes of the entry at offset at; 0 if the entries end there or the entry does not fit. */
static size_t entry_size(const uint8_t *entries, size_t at)
{
	size_t left = META_ADV_OLD_CAPACITY - at;

	/* Like Talos and syslinux: an entry cannot start in the last two bytes. */
	if (left <= HEAD || !entries[at] || entries[at + 1] > left - HEAD)
		return 0;
	return HEAD + (size_t)entries[at + 1];
}

void meta_adv_old_decode(const uint8_t *half, uint8_t *entries)
{
	size_t at = 0, size;

	memcpy(entries, half + ENTRIES, META_ADV_OLD_CAPACITY);
	while ((size = entry_size(entries, at)))
		at += size;
	/* An entry that did not fit must not become readable when another one is deleted. */
	secret_wipe(entries + at, META_ADV_OLD_CAPACITY - at);
}

const uint8_t *meta_adv_old_find(const uint8_t *entries, uint8_t tag, size_t *size)
{
	size_t at = 0, taken;

	while ((taken = entry_size(entries, at)) && entries[at] != tag)
		at += taken;
	if (!taken)
		return NULL;
	*size = taken - HEAD;
	return entries + at + HEAD;
}

bool meta_adv_old_delete(uint8_t *entries, uint8_t tag)
{
	bool deleted = false;
	size_t at = 0, taken;

	/* Delete every entry of this tag: each one hides the next. */
	while ((taken = entry_size(entries, at))) {
		if (entries[at] != tag) {
			at += taken;
			continue;
		}
		memmove(entries + at, entries + at + taken, META_ADV_OLD_CAPACITY - at - taken);
		secret_wipe(entries + META_ADV_OLD_CAPACITY - taken, taken);
		deleted = true;
	}
	return deleted;
}

void meta_adv_old_encode(const uint8_t *entries, uint8_t *half)
{
	store_le32(half, MAGIC1);
	memcpy(half + ENTRIES, entries, META_ADV_OLD_CAPACITY);
	store_le32(half + CHECKSUM, compute_checksum(half));
	store_le32(half + MAGIC2_AT, MAGIC2);
}
