/* SPDX-License-Identifier: MIT */
/*
 * Hostile bytes in META. If the first byte is odd, the rest is JSON to be printed. Otherwise the
 * input describes a partition: two bytes have the length of the first copy's entries, two more that
 * of the second copy's, and the remaining bytes are the older block. The checksums are valid, so
 * that the code behind them is reached. A decoded META is encoded again, and must decode to the
 * same values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/declared/meta_value.h"
#include "meta/adv.h"
#include "tests/fuzz/fuzz.h"

enum kind { PARTITION, JSON };
const char *const fuzz_kinds[] = { "partitions", "JSON texts", NULL };

#define CHECKSUM (META_ADV_COPY - 36u)
#define HALF	 (META_ADV_OLD / 2u)

/* A cheap hash: SHA-256 would take most of the time, and any deterministic function will do. */
static enum mortise_code checksum(const struct keys_bytes *part, size_t parts,
				  uint8_t digest[static 32], struct mortise_error *err)
{
	uint64_t word, mixed = 0xcbf29ce484222325;

	(void)parts;
	(void)err;
	for (size_t at = 0; at < part->size; at += sizeof(word)) {
		memcpy(&word, (const uint8_t *)part->data + at, sizeof(word));
		mixed = (mixed ^ word) * 0x100000001b3;
	}
	memset(digest, 0, 32);
	memcpy(digest, &mixed, sizeof(mixed));
	return MORTISE_OK;
}

/* Moves at most room bytes of the input to the buffer. */
static void take(const uint8_t **data, size_t *size, uint8_t *to, size_t room)
{
	if (room > *size)
		room = *size;
	memcpy(to, *data, room);
	*data += room;
	*size -= room;
}

/* Puts the entries at the start of a copy and again at its end, where the room is exhausted. */
static void make_copy(const uint8_t **data, size_t *size, size_t length, uint8_t *copy)
{
	const uint8_t *from = *data;
	uint8_t digest[32];

	take(data, size, copy + 4, length < META_ADV_CAPACITY ? length : META_ADV_CAPACITY);
	length = (size_t)(*data - from);
	memcpy(copy + CHECKSUM - length, from, length);
	memcpy(copy, "\x5a\x4b\x3c\x2d", 4);
	memcpy(copy + META_ADV_COPY - 4, "\xa5\xb4\xc3\xd2", 4);
	if (checksum(&(struct keys_bytes){ copy, META_ADV_COPY }, 1, digest, NULL))
		abort();
	memcpy(copy + CHECKSUM, digest, sizeof(digest));
}

static void make_half(const uint8_t **data, size_t *size, uint8_t *half)
{
	uint32_t sum = 0xa3041767;

	take(data, size, half + 8, 500);
	memcpy(half, "\xa5\x2f\x2d\x5a", 4);
	memcpy(half + 508, "\x64\xbf\x28\xdd", 4);
	for (size_t at = 8; at < 508; at++)
		sum -= (uint32_t)half[at] << 8 * (at % 4);
	for (unsigned i = 0; i < 4; i++)
		half[4 + i] = (uint8_t)(sum >> 8 * i);
}

static struct meta_adv *decode(const uint8_t *copies, const uint8_t *old)
{
	struct meta_adv *adv;

	if (meta_adv_decode(copies, old, checksum, &adv, NULL))
		abort();
	return adv;
}

/* Both must have the same tags with the same values. */
static void compare(const struct meta_adv *a, const struct meta_adv *b)
{
	struct mortise_meta_entry of_a, of_b;

	for (unsigned tag = 0; tag <= 255; tag++) {
		bool found = meta_adv_find(a, (uint8_t)tag, &of_a);

		if (found != meta_adv_find(b, (uint8_t)tag, &of_b) ||
		    (found &&
		     (of_a.size != of_b.size || memcmp(of_a.value, of_b.value, of_a.size) != 0)))
			abort();
	}
}

static void meta(const uint8_t *data, size_t size)
{
	uint8_t *copies = calloc(2, META_ADV_COPY), *old = calloc(1, META_ADV_OLD);
	struct meta_adv *adv, *again;
	struct mortise_meta_entry entry;
	uint8_t lengths[4] = { 0 };

	if (!copies || !old)
		abort();
	take(&data, &size, lengths, sizeof(lengths));
	make_copy(&data, &size, (size_t)lengths[0] << 8 | lengths[1], copies);
	make_copy(&data, &size, (size_t)lengths[2] << 8 | lengths[3], copies + META_ADV_COPY);
	make_half(&data, &size, old);
	make_half(&data, &size, old + HALF);
	adv = decode(copies, old);
	if (meta_adv_entry(adv, 0, &entry))
		fuzz_accepted(PARTITION);
	if (meta_adv_encode(adv, checksum, copies, NULL))
		abort();
	again = decode(copies, old);
	compare(adv, again);
	meta_adv_free(again);

	/* Changes: a deleted tag must not be found again. */
	while (meta_adv_entry(adv, 0, &entry)) {
		uint8_t tag = entry.tag;

		if (!meta_adv_delete(adv, tag) || meta_adv_find(adv, tag, &entry))
			abort();
	}
	if (meta_adv_set(adv, lengths[1] | 1, lengths, sizeof(lengths), NULL) == MORTISE_E_USAGE)
		abort();
	(void)meta_adv_encode_old(adv, old);
	if (meta_adv_encode(adv, checksum, copies, NULL))
		abort();
	again = decode(copies, old);
	compare(adv, again);
	meta_adv_free(again);
	meta_adv_free(adv);
	free(copies);
	free(old);
}

static void json(const char *text, size_t size)
{
	char *shown = malloc(META_VALUE_ROOM(size)), *again = NULL;

	if (!shown)
		abort();
	if (meta_value_json(text, size, shown)) {
		/* The printed form is JSON too, and has nothing left to hide. */
		again = malloc(META_VALUE_ROOM(strlen(shown)));
		if (!again || !meta_value_json(shown, strlen(shown), again) ||
		    strcmp(again, shown) != 0)
			abort();
		fuzz_accepted(JSON);
	}
	(void)meta_value_is_text(text, size);
	free(again);
	free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 2)
		json((const char *)data + 1, size - 1);
	else
		meta(data + 1, size - 1);
	return 0;
}
