/* SPDX-License-Identifier: MIT */
/* Layouts: the offsets and sizes that cryptsetup 2.6.1 chooses, and space for keyslot areas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "luks2/layout.h"
#include "luks2/area.h"
#include "luks2/metadata.h"
#include "luks2/validate.h"

#define MIB (UINT64_C(1) << 20)
#define KIB UINT64_C(1024)

static char path[] = "(no device)";

struct layout_case {
	const char *what;
	bool block;
	uint64_t device_size;
	uint32_t physical_block;
	struct mortise_format format;
	enum mortise_code code;
	struct luks2_layout layout;
};

/* Sizes from luksDump of cryptsetup 2.6.1 for the same options. */
static const struct layout_case cases[] = {
	{ "defaults, a file",
	  false,
	  20 * MIB,
	  4096,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 16744448, 16 * MIB, 4096 } },
	{ "a disk of 512-byte blocks",
	  true,
	  64 * MIB,
	  512,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 16744448, 16 * MIB, 512 } },
	{ "a disk of 4096-byte blocks, odd size",
	  true,
	  64 * MIB + 512,
	  4096,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 16744448, 16 * MIB, 512 } },
	{ "a disk of 8192-byte blocks",
	  true,
	  64 * MIB,
	  8192,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 16744448, 16 * MIB, 4096 } },
	{ "larger copies",
	  false,
	  20 * MIB,
	  4096,
	  { .metadata_size = 64 * KIB },
	  MORTISE_OK,
	  { 64 * KIB, 16 * MIB - 128 * KIB, 16 * MIB, 4096 } },
	{ "the largest copies",
	  false,
	  20 * MIB,
	  4096,
	  { .metadata_size = 4 * MIB },
	  MORTISE_OK,
	  { 4 * MIB, 8 * MIB, 16 * MIB, 4096 } },
	{ "keyslots size alone",
	  false,
	  20 * MIB,
	  4096,
	  { .keyslots_size = MIB },
	  MORTISE_OK,
	  { 16 * KIB, MIB, 2 * MIB, 4096 } },
	{ "offset alone",
	  false,
	  20 * MIB,
	  4096,
	  { .data_offset = 8 * MIB },
	  MORTISE_OK,
	  { 16 * KIB, 8 * MIB - 32 * KIB, 8 * MIB, 4096 } },
	{ "large offset",
	  false,
	  256 * MIB,
	  4096,
	  { .data_offset = 256 * MIB },
	  MORTISE_OK,
	  { 16 * KIB, 128 * MIB, 256 * MIB, 4096 } },
	{ "a small disk",
	  true,
	  8 * MIB,
	  512,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 8355840, 8 * MIB, 512 } },
	{ "a disk of 1 MiB", true, MIB, 512, { 0 }, MORTISE_OK, { 16 * KIB, 1015808, MIB, 512 } },
	{ "odd copies",
	  false,
	  20 * MIB,
	  4096,
	  { .metadata_size = 17 * KIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "copies too small",
	  false,
	  20 * MIB,
	  4096,
	  { .metadata_size = 8 * KIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "copies too large",
	  false,
	  20 * MIB,
	  4096,
	  { .metadata_size = 8 * MIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "odd keyslots size",
	  false,
	  20 * MIB,
	  4096,
	  { .keyslots_size = 1000 },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "keyslots size too large",
	  false,
	  20 * MIB,
	  4096,
	  { .keyslots_size = 129 * MIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "odd offset",
	  false,
	  20 * MIB,
	  4096,
	  { .data_offset = 16 * MIB + 512 },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "offset inside the copies",
	  false,
	  20 * MIB,
	  4096,
	  { .data_offset = 16 * KIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "no room for keyslots",
	  false,
	  20 * MIB,
	  4096,
	  { .data_offset = 32 * KIB },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "a disk too small", true, 32 * KIB, 512, { 0 }, MORTISE_E_NO_SPACE, { 0 } },
	{ "a disk too small for the data offset",
	  true,
	  512 * KIB,
	  512,
	  { 0 },
	  MORTISE_E_NO_SPACE,
	  { 0 } },
	{ "an empty file", false, 0, 4096, { 0 }, MORTISE_E_NO_SPACE, { 0 } },
	{ "a key file", false, 4, 4096, { 0 }, MORTISE_E_NO_SPACE, { 0 } },
	{ "a file too small for the offset",
	  false,
	  15 * MIB,
	  4096,
	  { .data_offset = 16 * MIB },
	  MORTISE_E_NO_SPACE,
	  { 0 } },
	{ "a small file",
	  false,
	  15 * MIB + 1,
	  4096,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 15695872, 15 * MIB, 4096 } },
	{ "a file of whole sectors and a byte",
	  false,
	  17 * MIB + 1,
	  4096,
	  { 0 },
	  MORTISE_OK,
	  { 16 * KIB, 16744448, 16 * MIB, 4096 } },
	{ "an odd sector size",
	  false,
	  20 * MIB,
	  4096,
	  { .sector_size = 1536 },
	  MORTISE_E_USAGE,
	  { 0 } },
	{ "a size that the sector does not divide",
	  true,
	  64 * MIB + 512,
	  512,
	  { .sector_size = 4096 },
	  MORTISE_E_USAGE,
	  { 0 } },
};

static void test_choose(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct layout_case *c = &cases[i];
		struct luks2_device device = {
			.path = path,
			.block = c->block,
			.size = c->device_size,
			.logical_block = 512,
			.physical_block = c->physical_block,
		};
		struct mortise_error err = { 0 };
		struct luks2_layout layout = { 0 };
		enum mortise_code code;

		code = luks2_layout_choose(&c->format, &device, &device, &layout, &err);
		if (code != c->code)
			fail_msg("%s: %s (%s)", c->what, mortise_code_text(code), err.text);
		if (code && !*err.text)
			fail_msg("%s: no error message", c->what);
		if (!code && (layout.copy_size != c->layout.copy_size ||
			      layout.keyslots_size != c->layout.keyslots_size ||
			      layout.data_offset != c->layout.data_offset ||
			      layout.sector_size != c->layout.sector_size))
			fail_msg("%s: copies %llu keyslots %llu data at %llu sector %u", c->what,
				 (unsigned long long)layout.copy_size,
				 (unsigned long long)layout.keyslots_size,
				 (unsigned long long)layout.data_offset, layout.sector_size);
	}
}

/* Physical blocks of 4096 bytes that begin at a sector other than 0. */
static void test_alignment_offset(void **state)
{
	static const struct {
		uint32_t offset;
		uint64_t size;
		struct mortise_format format;
		uint64_t data_offset; /* 0: refused */
		uint32_t sector_size;
	} shifted[] = {
		{ 3584, 64 * MIB, { 0 }, 16 * MIB + 3584, 512 },
		{ 512, 64 * MIB + 512, { 0 }, 16 * MIB + 512, 512 },
		{ 3584, 64 * MIB, { .sector_size = 512 }, 16 * MIB + 3584, 512 },
		{ 3584, 64 * MIB, { .sector_size = 1024 }, 0, 0 },
		{ 3584, 64 * MIB, { .sector_size = 4096 }, 0, 0 },
		/* What is requested counts more. */
		{ 3584, 64 * MIB, { .data_alignment = 4096 }, 16 * MIB, 4096 },
		{ 3584,
		  64 * MIB,
		  { .data_offset = 8 * MIB, .data_offset_given = true },
		  8 * MIB,
		  4096 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shifted) / sizeof(shifted[0]); i++) {
		struct luks2_device device = {
			.path = path,
			.block = true,
			.size = shifted[i].size,
			.logical_block = 512,
			.physical_block = 4096,
			.alignment_offset = shifted[i].offset,
		};
		struct luks2_layout layout = { 0 };
		enum mortise_code code;

		code = luks2_layout_choose(&shifted[i].format, &device, &device, &layout, NULL);
		assert_int_equal(code, shifted[i].data_offset ? MORTISE_OK : MORTISE_E_USAGE);
		if (code)
			continue;
		assert_int_equal(layout.data_offset, shifted[i].data_offset);
		assert_int_equal(layout.sector_size, shifted[i].sector_size);
	}
}

static void test_detached(void **state)
{
	struct luks2_device header = {
		.path = path, .size = 4096, .physical_block = 4096, .grows = true
	};
	struct luks2_device data = {
		.path = path, .block = true, .size = 64 * MIB, .physical_block = 512
	};
	const struct mortise_format none = { 0 }, at_zero = { .data_offset_given = true },
				    at_eight = { .data_offset = 8 * MIB,
						 .data_offset_given = true };
	struct luks2_layout layout;

	(void)state;
	assert_int_equal(luks2_layout_choose(&none, &header, &data, &layout, NULL), MORTISE_OK);
	assert_int_equal(layout.data_offset, 0);
	assert_int_equal(layout.keyslots_size, 16744448);
	assert_int_equal(layout.sector_size, 512);
	assert_int_equal(luks2_layout_choose(&at_zero, &header, &data, &layout, NULL), MORTISE_OK);
	assert_int_equal(layout.data_offset, 0);
	assert_int_equal(luks2_layout_choose(&at_eight, &header, &data, &layout, NULL), MORTISE_OK);
	assert_int_equal(layout.data_offset, 8 * MIB);
	/* A header whose keyslots area extends beyond the data offset does not load. */
	assert_int_equal(layout.keyslots_size, 8 * MIB - 32 * KIB);
}

/* Metadata with one area per letter: "a" is at the first position of 128 KiB, "b" the second... */
static struct json_object *metadata_with(const char *places)
{
	struct json_object *metadata = json_object_new_object();
	struct json_object *keyslots = json_object_new_object(), *config = json_object_new_object();

	assert_true(luks2_json_add(metadata, "keyslots", keyslots));
	assert_true(luks2_json_add(metadata, "config", config));
	assert_true(luks2_json_add(config, "json_size", luks2_json_new_decimal(12288)));
	assert_true(luks2_json_add(config, "keyslots_size", luks2_json_new_decimal(4 * 128 * KIB)));
	for (int id = 0; places[id]; id++) {
		struct json_object *keyslot = json_object_new_object();
		struct json_object *area = json_object_new_object();
		uint64_t at = 32 * KIB + (uint64_t)(places[id] - 'a') * 128 * KIB;

		assert_true(luks2_json_add_id(keyslots, id, keyslot));
		assert_true(luks2_json_add(keyslot, "area", area));
		assert_true(luks2_json_add(area, "offset", luks2_json_new_decimal(at)));
		assert_true(luks2_json_add(area, "size", luks2_json_new_decimal(128 * KIB)));
	}
	return metadata;
}

/* Returns the found position as a letter, or '-'. */
static char find(const char *now, const char *on_disk, uint64_t room)
{
	struct json_object *metadata = metadata_with(now), *disk = metadata_with(on_disk);
	struct mortise_error err = { 0 };
	uint64_t at = 0;
	enum mortise_code code = luks2_layout_find_area(metadata, disk, room, &at, &err);

	json_object_put(metadata);
	json_object_put(disk);
	if (code) {
		assert_int_equal(code, MORTISE_E_NO_SPACE);
		assert_string_equal(err.text, "No space for new keyslot.");
		return '-';
	}
	assert_int_equal((at - 32 * KIB) % (128 * KIB), 0);
	return (char)('a' + (at - 32 * KIB) / (128 * KIB));
}

static void test_find_area(void **state)
{
	(void)state;
	assert_int_equal(find("", "", 128 * KIB), 'a');
	assert_int_equal(find("b", "b", 128 * KIB), 'a');
	assert_int_equal(find("b", "b", 129 * KIB), 'c');
	assert_int_equal(find("ca", "ca", 128 * KIB), 'b');
	assert_int_equal(find("ca", "ca", 129 * KIB), '-');
	assert_int_equal(find("abcd", "abcd", 4096), '-');
	/* An area that an update has freed is not available until the update is committed. */
	assert_int_equal(find("", "a", 128 * KIB), 'b');
	assert_int_equal(find("c", "ab", 128 * KIB), 'd');
	assert_int_equal(find("cd", "ab", 128 * KIB), '-');
	/* Nor is an area that the update already uses. */
	assert_int_equal(find("ab", "a", 128 * KIB), 'c');
	assert_int_equal(find("", "", 513 * KIB), '-');
}

static void test_area_room(void **state)
{
	(void)state;
	assert_int_equal(luks2_area_room(32), 131072);
	assert_int_equal(luks2_area_room(64), 258048);
	assert_int_equal(luks2_area_room(96), 385024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),	  cmocka_unit_test(test_alignment_offset),
		cmocka_unit_test(test_detached),  cmocka_unit_test(test_find_area),
		cmocka_unit_test(test_area_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
