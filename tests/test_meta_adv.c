/* SPDX-License-Identifier: MIT */
/* Values in META, compared with independently created images, and hostile images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/hash.h"
#include "meta/adv.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/meta_adv.h"

#define COPIES	  (2 * META_ADV_COPY)
#define CHECKSUM  (META_ADV_COPY - 36u)
#define VALUE_MAX (META_ADV_CAPACITY - 8u)

/* Both copies and the older block; wiped between tests. */
static uint8_t image[COPIES + META_ADV_OLD];
static uint8_t *const second = image + META_ADV_COPY;
static uint8_t *const old = image + COPIES;
static uint8_t out[META_ADV_COPY], out_old[META_ADV_OLD];

static enum mortise_code no_sha256(const struct keys_bytes *part, size_t parts,
				   uint8_t digest[static 32], struct mortise_error *err)
{
	(void)part;
	(void)parts;
	(void)digest;
	if (err)
		err->code = MORTISE_E_UNSUPPORTED;
	return MORTISE_E_UNSUPPORTED;
}

static int clear(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	return 0;
}

static void frame(uint8_t *copy)
{
	memcpy(copy, "\x5a\x4b\x3c\x2d", 4);
	memcpy(copy + META_ADV_COPY - 4, "\xa5\xb4\xc3\xd2", 4);
}

/* Computes the checksum of a copy that is not a test vector. */
static void seal(uint8_t *copy)
{
	frame(copy);
	memset(copy + CHECKSUM, 0, 32);
	assert_int_equal(keys_sha256(&(struct keys_bytes){ copy, META_ADV_COPY }, 1, out, NULL),
			 MORTISE_OK);
	memcpy(copy + CHECKSUM, out, 32);
}

static size_t put(uint8_t *at, uint32_t tag, uint32_t size, const char *value)
{
	const uint8_t head[8] = { (uint8_t)(tag >> 24),	 (uint8_t)(tag >> 16),
				  (uint8_t)(tag >> 8),	 (uint8_t)tag,
				  (uint8_t)(size >> 24), (uint8_t)(size >> 16),
				  (uint8_t)(size >> 8),	 (uint8_t)size };

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), value, strlen(value));
	return sizeof(head) + strlen(value);
}

static void vector_copy(uint8_t *copy, const char *entries, const char *checksum)
{
	frame(copy);
	from_hex(entries, copy + 4, META_ADV_CAPACITY);
	from_hex(checksum, copy + CHECKSUM, 32);
}

static struct meta_adv *decode(void)
{
	struct meta_adv *adv = NULL;
	/* Buffers of the exact size, so that sanitizers detect reads beyond the end. */
	uint8_t *copies = malloc(COPIES), *block = malloc(META_ADV_OLD);

	assert_non_null(copies);
	assert_non_null(block);
	memcpy(copies, image, COPIES);
	memcpy(block, old, META_ADV_OLD);
	assert_int_equal(meta_adv_decode(copies, block, keys_sha256, &adv, NULL), MORTISE_OK);
	free(copies);
	free(block);
	return adv;
}

static void encode(const struct meta_adv *adv)
{
	memset(out, 0xee, sizeof(out));
	assert_int_equal(meta_adv_encode(adv, keys_sha256, out, NULL), MORTISE_OK);
}

static bool holds(const struct meta_adv *adv, uint8_t tag, const char *value)
{
	struct mortise_meta_entry entry;

	return meta_adv_find(adv, tag, &entry) && entry.tag == tag && entry.size == strlen(value) &&
	       !memcmp(entry.value, value, entry.size);
}

static size_t count(const struct meta_adv *adv)
{
	struct mortise_meta_entry entry;
	unsigned last = 0;
	size_t i = 0;

	for (; meta_adv_entry(adv, i, &entry); i++) {
		assert_true(entry.tag > last);
		last = entry.tag;
	}
	return i;
}

static void test_empty(void **state)
{
	struct meta_adv *adv = decode();

	(void)state;
	assert_int_equal(count(adv), 0);
	assert_false(meta_adv_found(adv)->magic);
	encode(adv);
	frame(image);
	from_hex(meta_adv_empty_sha256, image + CHECKSUM, 32);
	assert_memory_equal(out, image, META_ADV_COPY);
	assert_false(meta_adv_encode_old(adv, out_old));
	assert_false(meta_adv_delete(adv, 9));
	assert_false(meta_adv_delete(adv, 0));
	meta_adv_free(adv);
	meta_adv_free(NULL);
}

static void test_some(void **state)
{
	struct mortise_meta_entry entry;
	struct meta_adv *adv;

	(void)state;
	vector_copy(image, meta_adv_some_entries, meta_adv_some_sha256);
	adv = decode();
	assert_true(meta_adv_found(adv)->copy[0]);
	assert_false(meta_adv_found(adv)->copy[1]);
	assert_int_equal(count(adv), 3);
	assert_true(holds(adv, 9, "null"));
	assert_true(holds(adv, 12, ""));
	assert_true(holds(adv, 255, "the last tag"));
	assert_false(holds(adv, 0, ""));
	assert_true(meta_adv_entry(adv, 0, &entry));
	assert_string_equal(entry.name, "StateEncryptionConfig");
	assert_false(entry.old);
	encode(adv);
	assert_memory_equal(out, image, META_ADV_COPY);
	meta_adv_free(adv);

	/* The same, set one by one and in another order. */
	clear(NULL);
	adv = decode();
	assert_int_equal(meta_adv_set(adv, 255, "the last tag", 12, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 9, "a long value that goes", 22, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 12, NULL, 0, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 77, "deleted", 7, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 9, "null", 4, NULL), MORTISE_OK);
	assert_true(meta_adv_delete(adv, 77));
	encode(adv);
	vector_copy(image, meta_adv_some_entries, meta_adv_some_sha256);
	assert_memory_equal(out, image, META_ADV_COPY);
	meta_adv_free(adv);
}

/* A value that fills META exactly, and one byte more. */
static void test_full(void **state)
{
	char *value = malloc(META_ADV_CAPACITY);
	struct meta_adv *adv = decode();
	struct mortise_meta_entry entry;
	struct mortise_error err;

	(void)state;
	assert_non_null(value);
	memset(value, 'x', META_ADV_CAPACITY);
	assert_int_equal(meta_adv_set(adv, 12, value, VALUE_MAX + 1, &err), MORTISE_E_NO_SPACE);
	assert_non_null(strstr(err.text, "262096"));
	assert_int_equal(meta_adv_set(adv, 12, value, SIZE_MAX, NULL), MORTISE_E_NO_SPACE);
	assert_int_equal(count(adv), 0);
	assert_int_equal(meta_adv_set(adv, 12, value, VALUE_MAX, NULL), MORTISE_OK);
	encode(adv);
	frame(image);
	put(image + 4, 12, VALUE_MAX, "");
	memset(image + 12, 'x', VALUE_MAX);
	from_hex(meta_adv_full_sha256, image + CHECKSUM, 32);
	assert_memory_equal(out, image, META_ADV_COPY);

	/* No room for another tag, not even an empty one; the tag itself can be set again. */
	assert_int_equal(meta_adv_set(adv, 13, "", 0, NULL), MORTISE_E_NO_SPACE);
	assert_int_equal(meta_adv_set(adv, 12, value, VALUE_MAX + 1, NULL), MORTISE_E_NO_SPACE);
	assert_int_equal(meta_adv_set(adv, 12, value, VALUE_MAX, NULL), MORTISE_OK);
	meta_adv_free(adv);
	adv = decode();
	assert_true(meta_adv_find(adv, 12, &entry));
	assert_int_equal(entry.size, VALUE_MAX);
	assert_int_equal(meta_adv_set(adv, 12, value, VALUE_MAX - 8, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 13, "", 0, NULL), MORTISE_OK);
	assert_int_equal(meta_adv_set(adv, 14, "", 0, NULL), MORTISE_E_NO_SPACE);
	assert_int_equal(meta_adv_set(adv, 0, "", 0, NULL), MORTISE_E_USAGE);
	/* The remaining space is zero after a deletion. */
	assert_true(meta_adv_delete(adv, 12));
	encode(adv);
	for (size_t i = 12; i < CHECKSUM; i++)
		assert_int_equal(out[i], 0);
	meta_adv_free(adv);
	free(value);
}

/* The first valid copy is used; no part of an invalid copy is. */
static void test_copies(void **state)
{
	static const size_t places[] = { 0, 3, 4, 20, 1000, CHECKSUM, META_ADV_COPY - 1 };
	struct meta_adv *adv;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		clear(NULL);
		vector_copy(image, meta_adv_some_entries, meta_adv_some_sha256);
		put(second + 4, 12, 6, "second");
		seal(second);
		adv = decode();
		assert_true(holds(adv, 12, "") && holds(adv, 9, "null"));
		meta_adv_free(adv);
		image[places[i]] ^= 1;
		adv = decode();
		assert_int_equal(count(adv), 1);
		assert_true(holds(adv, 12, "second"));
		assert_false(meta_adv_found(adv)->copy[0]);
		assert_true(meta_adv_found(adv)->copy[1]);
		meta_adv_free(adv);
		second[places[i]] ^= 1;
		adv = decode();
		assert_int_equal(count(adv), 0);
		assert_true(meta_adv_found(adv)->magic);
		meta_adv_free(adv);
	}
}

/* Copies with a valid checksum, but with entry sizes that extend beyond the copy. */
static void test_hostile_sizes(void **state)
{
	static const uint32_t sizes[] = { VALUE_MAX + 1, META_ADV_CAPACITY, META_ADV_COPY,
					  0x7fffffff,	 0x80000000,	    0xfffffff0,
					  0xfffffff7,	 0xfffffff8,	    0xffffffff };
	struct meta_adv *adv;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		clear(NULL);
		put(image + 4, 9, sizes[i], "");
		seal(image);
		put(second + 4 + put(second + 4, 9, 4, "null"), 10, sizes[i], "");
		seal(second);
		adv = decode();
		assert_false(meta_adv_found(adv)->copy[0]);
		assert_false(meta_adv_found(adv)->copy[1]);
		assert_int_equal(count(adv), 0);
		meta_adv_free(adv);
	}
	/* The last entry ends at the end of the copy, or leaves too little room for another. */
	for (uint32_t left = 0; left < 8; left++) {
		clear(NULL);
		put(image + 4, 9, VALUE_MAX - left, "");
		memset(image + CHECKSUM - left, 0xff, left);
		seal(image);
		adv = decode();
		assert_true(meta_adv_found(adv)->copy[0]);
		assert_int_equal(count(adv), 1);
		meta_adv_free(adv);
	}
}

/* The last of two equal tags is used, as in Talos; tags above 255 are kept, but not listed. */
static void test_unusual_tags(void **state)
{
	uint8_t *at = image + 4;
	struct meta_adv *adv;

	(void)state;
	at += put(at, 0x109, 4, "wide");
	at += put(at, 9, 5, "first");
	at += put(at, 0xffffffff, 5, "wider");
	at += put(at, 7, 4, "then");
	at += put(at, 9, 4, "last");
	at += put(at, 0, 4, "the end");
	put(at, 8, 4, "none");
	seal(image);
	adv = decode();
	assert_int_equal(count(adv), 2);
	assert_true(holds(adv, 9, "last") && holds(adv, 7, "then"));
	assert_int_equal(meta_adv_set(adv, 255, "new", 3, NULL), MORTISE_OK);
	encode(adv);
	meta_adv_free(adv);
	at = second + 4;
	at += put(at, 7, 4, "then");
	at += put(at, 9, 4, "last");
	at += put(at, 255, 3, "new");
	at += put(at, 0x109, 4, "wide");
	put(at, 0xffffffff, 5, "wider");
	memcpy(image, out, META_ADV_COPY);
	seal(second);
	assert_memory_equal(image, second, META_ADV_COPY);

	/* The maximum number of entries. */
	clear(NULL);
	for (uint32_t i = 0; i < META_ADV_CAPACITY / 8; i++)
		put(image + 4 + (size_t)8 * i, i + 1, 0, "");
	seal(image);
	adv = decode();
	assert_int_equal(count(adv), 255);
	encode(adv);
	assert_memory_equal(out, image, META_ADV_COPY);
	meta_adv_free(adv);
}

static void test_older_block(void **state)
{
	struct mortise_meta_entry entry;
	struct meta_adv *adv;

	(void)state;
	vector_copy(image, meta_adv_some_entries, meta_adv_some_sha256);
	from_hex(meta_adv_old_half, old, 512);
	from_hex(meta_adv_old_half, old + 512, 512);
	adv = decode();
	assert_true(meta_adv_found(adv)->old[0] && meta_adv_found(adv)->old[1]);
	assert_int_equal(count(adv), 5);
	assert_true(holds(adv, 6, "A"));
	assert_true(holds(adv, 9, "null"));
	assert_true(meta_adv_find(adv, 200, &entry) && entry.old && entry.size == 250);
	assert_true(meta_adv_find(adv, 9, &entry) && !entry.old);
	/* Setting a tag does not change the older block; the new value takes precedence. */
	assert_int_equal(meta_adv_set(adv, 6, "B", 1, NULL), MORTISE_OK);
	assert_true(holds(adv, 6, "B"));
	assert_false(meta_adv_encode_old(adv, out_old));
	/* Deleting a tag also removes it from the older block. */
	assert_true(meta_adv_delete(adv, 9));
	assert_false(holds(adv, 9, "null") || holds(adv, 9, "from the older block"));
	assert_true(meta_adv_encode_old(adv, out_old));
	from_hex(meta_adv_old_less, old, 512);
	assert_memory_equal(out_old, old, 512);
	assert_memory_equal(out_old + 512, old, 512);
	meta_adv_free(adv);

	/* Without copies, the older block is used; with its first half damaged, the second half. */
	clear(NULL);
	from_hex(meta_adv_old_half, old, 512);
	from_hex(meta_adv_old_less, old + 512, 512);
	adv = decode();
	assert_true(holds(adv, 9, "from the older block") && count(adv) == 3);
	meta_adv_free(adv);
	old[100] ^= 1;
	adv = decode();
	assert_true(!meta_adv_found(adv)->old[0] && meta_adv_found(adv)->old[1]);
	assert_int_equal(count(adv), 2);
	meta_adv_free(adv);
	old[600] ^= 1;
	adv = decode();
	assert_int_equal(count(adv), 0);
	assert_true(meta_adv_found(adv)->magic);
	meta_adv_free(adv);
}

/* Sets the checksum of a half: the words from 8 to 508 and the checksum add up to 0xa3041767. */
static void seal_half(uint8_t *half)
{
	uint32_t sum = 0xa3041767;

	memcpy(half, "\xa5\x2f\x2d\x5a", 4);
	memcpy(half + 508, "\x64\xbf\x28\xdd", 4);
	for (size_t at = 8; at < 508; at += 4)
		sum -= (uint32_t)half[at] | (uint32_t)half[at + 1] << 8 |
		       (uint32_t)half[at + 2] << 16 | (uint32_t)half[at + 3] << 24;
	for (unsigned i = 0; i < 4; i++)
		half[4 + i] = (uint8_t)(sum >> 8 * i);
}

static void test_older_hostile(void **state)
{
	struct mortise_meta_entry entry;
	struct meta_adv *adv;

	(void)state;
	/*
	 * A tag twice, of which the first is used and both are deleted; an entry that does not fit.
	 */
	memcpy(old + 8,
	       "\x09\x01"
	       "1"
	       "\x06\x03"
	       "six"
	       "\x09\x01"
	       "2"
	       "\x0c\xff",
	       13);
	memset(old + 21, 'y', 255);
	memcpy(old + 276, "\x0d\xe7", 2);
	seal_half(old);
	adv = decode();
	assert_int_equal(count(adv), 3);
	assert_true(holds(adv, 9, "1"));
	assert_true(meta_adv_find(adv, 12, &entry) && entry.size == 255);
	assert_true(meta_adv_delete(adv, 9));
	assert_false(meta_adv_find(adv, 9, &entry));
	/* The deletion frees 6 bytes before tag 13, after which it would fit. */
	assert_false(meta_adv_find(adv, 13, &entry));
	assert_true(meta_adv_encode_old(adv, out_old));
	assert_memory_equal(out_old + 8, "\x06\x03six\x0c\xff", 7);
	meta_adv_free(adv);

	/* An entry that ends at the end of the block; two bytes there are not an entry. */
	clear(NULL);
	memcpy(old + 8, "\x09\xff", 2);
	memcpy(old + 265, "\x0a\xf1", 2);
	seal_half(old);
	adv = decode();
	assert_true(meta_adv_find(adv, 10, &entry) && entry.size == 241);
	meta_adv_free(adv);
	memcpy(old + 265, "\x0a\xef\0", 3);
	memcpy(old + 506, "\x0b\0", 2);
	seal_half(old);
	adv = decode();
	assert_int_equal(count(adv), 2);
	meta_adv_free(adv);
}

static void test_no_hash(void **state)
{
	struct meta_adv *adv = NULL;
	struct mortise_error err;

	(void)state;
	vector_copy(image, meta_adv_some_entries, meta_adv_some_sha256);
	assert_int_equal(meta_adv_decode(image, old, no_sha256, &adv, &err), MORTISE_E_UNSUPPORTED);
	assert_null(adv);
	adv = decode();
	assert_int_equal(meta_adv_encode(adv, no_sha256, out, &err), MORTISE_E_UNSUPPORTED);
	meta_adv_free(adv);
}

static void test_tags(void **state)
{
	static const struct {
		const char *text;
		unsigned tag; /* 0: invalid */
	} rows[] = {
		{ "9", 9 },
		{ "0x9", 9 },
		{ "0XfF", 255 },
		{ "009", 9 },
		{ "255", 255 },
		{ "StateEncryptionConfig", 9 },
		{ "uuidoverride", 15 },
		{ "USERRESERVED3", 14 },
		{ "upgrade", 6 },
		{ "0", 0 },
		{ "256", 0 },
		{ "0x100", 0 },
		{ "4294967305", 0 },
		{ "99999999", 0 },
		{ "", 0 },
		{ "0x", 0 },
		{ " 9", 0 },
		{ "+9", 0 },
		{ "-9", 0 },
		{ "9a", 0 },
		{ "f", 0 },
		{ "State", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t tag = 0;

		if (mortise_meta_tag_parse(rows[i].text, &tag) != (rows[i].tag != 0) ||
		    tag != rows[i].tag)
			fail_msg("\"%s\" is %u, expected %u", rows[i].text, tag, rows[i].tag);
	}
	assert_string_equal(meta_adv_tag_name(0), "");
	assert_string_equal(meta_adv_tag_name(17), "DiskImageBootloader");
	assert_string_equal(meta_adv_tag_name(18), "");
	assert_string_equal(meta_adv_tag_name(255), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, clear),
		cmocka_unit_test_setup(test_some, clear),
		cmocka_unit_test_setup(test_full, clear),
		cmocka_unit_test_setup(test_copies, clear),
		cmocka_unit_test_setup(test_hostile_sizes, clear),
		cmocka_unit_test_setup(test_unusual_tags, clear),
		cmocka_unit_test_setup(test_older_block, clear),
		cmocka_unit_test_setup(test_older_hostile, clear),
		cmocka_unit_test_setup(test_no_hash, clear),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
