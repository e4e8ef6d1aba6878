/* SPDX-License-Identifier: MIT */
/*
 * A disk for tests of luks2/: tests/disk.h, with checks of the write order of header copies and
 * keyslot areas. Include this file in only one C file.
 */
#ifndef LUKS2_DISK_H
#define LUKS2_DISK_H

#include "luks2/binary.h"
#include "luks2/json.h"

#define COPY_SIZE	LUKS2_COPY_SIZE_MIN
#define AREA_SIZE	131072u	/* bytes, for a volume key of 32 bytes */
#define AREAS		4u
#define DISK_SIZE	(2 * COPY_SIZE + AREAS * AREA_SIZE)

#include "tests/disk.h"

/* Existing contents that an operation may overwrite. */
static struct {
	bool formatting;	/* everything */
	bool stale;		/* the areas of a copy that was older from the start */
	bool restoring;		/* any copy, if the other one is valid or both are bad */
} spare;

static inline bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* A header copy on stable storage; its metadata and age are set only if it is valid. */
struct disk_copy {
	bool good;
	uint64_t seqid;
	struct json_object *metadata;
};

static inline void disk_copy_get(uint64_t offset, struct disk_copy *copy)
{
	uint8_t *bytes = disk.stable + offset;
	struct luks2_binary binary;

	memset(copy, 0, sizeof(*copy));
	if (luks2_binary_decode(bytes, offset, &binary, NULL) || binary.copy_size != COPY_SIZE ||
	    luks2_checksum_check(&binary, bytes, NULL))
		return;
	copy->metadata = json_tokener_parse((char *)bytes + LUKS2_BINARY_SIZE);
	copy->good = copy->metadata != NULL;
	copy->seqid = binary.seqid;
}

static inline bool disk_copy_needs(const struct disk_copy *copy, uint64_t offset, size_t size)
{
	struct json_object *keyslots = luks2_json_get(copy->metadata, "keyslots", json_type_object);

	if (!keyslots)
		return false;
	json_object_object_foreach(keyslots, id, keyslot) {
		struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
		uint64_t area_offset, area_size;

		(void)id;
		assert_true(luks2_json_decimal(area, "offset", &area_offset));
		assert_true(luks2_json_decimal(area, "size", &area_size));
		if (overlap(offset, size, area_offset, area_size))
			return true;
	}
	return false;
}

/* The other copy, and the areas to which this copy refers, must already be flushed. */
static inline void disk_check_order(const uint8_t *bytes, size_t size)
{
	struct disk_copy now = { .good = size == COPY_SIZE };

	if (now.good)
		now.metadata = json_tokener_parse((const char *)bytes + LUKS2_BINARY_SIZE);
	for (size_t i = 0; i < disk.pending_count; i++) {
		const struct disk_write *write = &disk.pending[i];

		if (write->offset < 2 * COPY_SIZE ||
		    disk_copy_needs(&now, write->offset, write->size))
			disk_wrong("call %u writes a header copy before other writes are flushed", disk.calls);
	}
	json_object_put(now.metadata);
}

/* A write must not overwrite anything that the header on stable storage needs. */
static inline void disk_check_write(const uint8_t *bytes, uint64_t offset, size_t size)
{
	struct disk_copy copy[2];

	for (unsigned i = 0; i < 2; i++)
		disk_copy_get(i * COPY_SIZE, &copy[i]);
	for (unsigned i = 0; i < 2; i++) {
		const struct disk_copy *other = &copy[!i];
		bool outlived = other->good && (!copy[i].good || other->seqid >= copy[i].seqid);

		if (overlap(offset, size, i * COPY_SIZE, COPY_SIZE)) {
			if (spare.restoring)
				outlived = other->good || !copy[i].good;
			if (!outlived && !spare.formatting)
				disk_wrong("call %u overwrites the newest header copy", disk.calls);
			disk_check_order(bytes, size);
		}
		if (copy[i].good && !spare.formatting && !(spare.stale && outlived) &&
		    disk_copy_needs(&copy[i], offset, size))
			disk_wrong("call %u overwrites an area in use", disk.calls);
	}
	for (unsigned i = 0; i < 2; i++)
		json_object_put(copy[i].metadata);
}

static inline int luks2_disk_new(void **state)
{
	disk.before_write = disk_check_write;
	return disk_new(state);
}

#endif
