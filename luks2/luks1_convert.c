/* SPDX-License-Identifier: MIT */
/*
 * Conversion of LUKS1 to LUKS2. Areas stay where they are, except those below 32 KiB, where the LUKS2
 * header copies go. At each moment the disk has a complete header and all areas that it needs:
 *
 * 1. The area is copied to a place that no keyslot uses, and flushed.
 * 2. The LUKS1 header takes the copy, by a change of one field in one sector: either the offset of
 *    the keyslot, or, if the place is the area of an inactive keyslot, the state of that one,
 *    which then opens with the same passphrase; the old one becomes inactive.
 * 3. The second LUKS2 copy is written over the old area. The LUKS1 header is still complete.
 * 4. The first sector of the LUKS2 header replaces that of the LUKS1 header. Its copy is invalid as a
 *    whole, and every reader uses the second one.
 * 5. The first copy is written completely, and the old areas are wiped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/digest.h"
#include "luks2/luks1.h"
#include "luks2/policy.h"
#include "luks2/private.h"
#include "luks2/validate.h"

#define COPIES	    (2u * LUKS2_COPY_SIZE_MIN) /* bytes */
#define JSON_SIZE   (LUKS2_COPY_SIZE_MIN - LUKS2_BINARY_SIZE)
#define PAGE	    4096u
#define HEADER_ROOM (2u * LUKS1_SECTOR) /* bytes: the header and the rest of its last sector */

struct conversion {
	struct mortise_luks2 *header;
	struct luks1_binary disk;  /* the LUKS1 header on the disk */
	struct luks1_binary final; /* keyslots as LUKS2 will have them */
	struct {
		int to;		 /* an inactive keyslot whose area is taken, or -1 */
		uint32_t offset; /* sectors; 0: the area stays */
	} move[LUKS1_KEYSLOTS];
	uint64_t limit; /* bytes: the end of the keyslots area */
	uint8_t bytes[HEADER_ROOM];
};

static bool overlaps(const struct conversion *job, uint64_t from, uint64_t other)
{
	const uint64_t sectors = luks1_area_sectors(&job->disk);

	return from < other + sectors && other < from + sectors;
}

/* Within the keyslots area of LUKS2? */
static bool fits(const struct conversion *job, uint64_t offset)
{
	return offset * LUKS1_SECTOR >= COPIES &&
	       (offset + luks1_area_sectors(&job->disk)) * LUKS1_SECTOR <= job->limit;
}

/* True if nothing needs the sectors at offset: neither old areas, except that of keyslot k, nor new. */
static bool is_free(const struct conversion *job, uint64_t offset, int k)
{
	if (!fits(job, offset))
		return false;
	for (int i = 0; i < (int)LUKS1_KEYSLOTS; i++)
		if ((i != k && overlaps(job, offset, job->disk.keyslot[i].offset)) ||
		    (job->move[i].offset && overlaps(job, offset, job->move[i].offset)))
			return false;
	return true;
}

static bool same_area(const struct conversion *job, int i, int k)
{
	const size_t size = luks2_area_used(job->disk.key_size);
	uint8_t *areas = malloc(2 * size);
	bool same;

	same = areas &&
	       !luks2_device_read(job->header->device, areas, size,
				  (uint64_t)job->disk.keyslot[i].offset * LUKS1_SECTOR, NULL) &&
	       !luks2_device_read(job->header->device, areas + size, size,
				  (uint64_t)job->disk.keyslot[k].offset * LUKS1_SECTOR, NULL) &&
	       !memcmp(areas, areas + size, size);
	free(areas);
	return same;
}

/* The copy of keyslot i that an interrupted conversion has made: both are active. */
static bool is_copy(const struct conversion *job, int i, int k)
{
	const struct luks1_keyslot *a = &job->disk.keyslot[i], *b = &job->disk.keyslot[k];

	return k != i && b->state == LUKS1_ACTIVE && a->iterations == b->iterations &&
	       !memcmp(a->salt, b->salt, sizeof(a->salt)) && same_area(job, i, k);
}

static bool find_place(struct conversion *job, int i)
{
	for (int k = 0; k < (int)LUKS1_KEYSLOTS; k++) {
		if (!is_copy(job, i, k) || !is_free(job, job->disk.keyslot[k].offset, k))
			continue;
		job->move[i].offset = job->disk.keyslot[k].offset;
		job->move[i].to = k;
		job->final.keyslot[k].state = LUKS1_INACTIVE;
		return true;
	}
	for (uint64_t at = COPIES / LUKS1_SECTOR; at * LUKS1_SECTOR < job->limit;
	     at += PAGE / LUKS1_SECTOR) {
		if (is_free(job, at, -1)) {
			job->move[i].offset = (uint32_t)at;
			job->move[i].to = -1;
			return true;
		}
	}
	for (int k = 0; k < (int)LUKS1_KEYSLOTS; k++) {
		if (job->disk.keyslot[k].state == LUKS1_INACTIVE &&
		    is_free(job, job->disk.keyslot[k].offset, k)) {
			job->move[i].offset = job->disk.keyslot[k].offset;
			job->move[i].to = k;
			return true;
		}
	}
	return false;
}

static enum mortise_code no_space(const struct conversion *job, struct mortise_error *err)
{
	return error_set(
		err, MORTISE_E_NO_SPACE, 0,
		"Unable to move keyslot area. Not enough space. (%s has no room for a second "
		"copy of an area below 32 KiB; remove a keyslot first)",
		job->header->device->path);
}

/* Chooses the places. Nothing is written before all of them are known. */
static enum mortise_code plan(struct conversion *job, struct mortise_error *err)
{
	job->final = job->disk;
	for (int i = 0; i < (int)LUKS1_KEYSLOTS; i++) {
		const struct luks1_keyslot *keyslot = &job->disk.keyslot[i];

		if (keyslot->state != LUKS1_ACTIVE && keyslot->state != LUKS1_INACTIVE)
			return error_set(
				err, MORTISE_E_CORRUPT, 0,
				"keyslot %d is neither active nor inactive; run cryptsetup "
				"repair",
				i);
		if (keyslot->state != LUKS1_ACTIVE)
			continue;
		if ((uint64_t)keyslot->offset * LUKS1_SECTOR < COPIES) {
			if (!find_place(job, i))
				return no_space(job, err);
			job->final.keyslot[i].offset = job->move[i].offset;
		} else if (!fits(job, keyslot->offset)) {
			return no_space(job, err);
		}
	}
	return MORTISE_OK;
}

/* The end of what LUKS2 may use: the data, the device, or the largest keyslots area. */
static uint64_t choose_limit(const struct mortise_luks2 *header)
{
	uint64_t end = (uint64_t)header->luks1->payload * LUKS1_SECTOR;

	if (!end || end > header->device->size)
		end = header->device->size;
	end -= end % PAGE;
	return end < COPIES + LUKS2_KEYSLOTS_SIZE_MAX ? end : COPIES + LUKS2_KEYSLOTS_SIZE_MAX;
}

/* luksmeta and clevis keep their data behind the areas. */
static enum mortise_code check_luksmeta(const struct conversion *job, struct mortise_error *err)
{
	const uint64_t end = (luks1_areas_end(&job->disk) + PAGE - 1) / PAGE * PAGE;
	char magic[8];

	/* A header file may end before. */
	if (luks2_device_read(job->header->device, magic, sizeof(magic), end, NULL) ||
	    memcmp(magic, "LUKSMETA", sizeof(magic)) != 0)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "Unable to convert header with LUKSMETA additional metadata.");
}

/* What mortise would not open afterwards is not converted. */
static enum mortise_code check_result(const struct conversion *job, struct json_object *metadata,
				      struct mortise_error *err)
{
	struct luks2_segment segment;
	struct luks2_keyslot keyslot;
	enum mortise_code code;

	if (!metadata)
		return error_memory(err);
	code = luks2_validate(metadata, JSON_SIZE, err);
	if (!code)
		code = luks2_segment_get(metadata, &segment, err);
	if (!code)
		code = luks2_header_check_cipher(job->header, "cannot convert", segment.cipher,
						 job->disk.key_size, err);
	for (int i = 0; !code && i < (int)LUKS1_KEYSLOTS; i++)
		if (job->final.keyslot[i].state == LUKS1_ACTIVE)
			code = luks2_keyslot_get(metadata, i, &keyslot, err);
	if (!code && job->disk.digest_iterations < LUKS2_DIGEST_ITERATIONS_MIN)
		code = error_set(
			err, MORTISE_E_POLICY, 0,
			"cannot convert: the digest has %" PRIu32 " iterations, and LUKS2 "
			"headers with fewer than %u are refused; copy the data to a new volume",
			job->disk.digest_iterations, LUKS2_DIGEST_ITERATIONS_MIN);
	return code;
}

static enum mortise_code write_luks1(struct conversion *job, struct mortise_error *err)
{
	struct luks2_device *device = job->header->device;
	enum mortise_code code;

	luks1_encode(&job->disk, job->bytes);
	code = luks2_device_write(device, job->bytes, sizeof(job->bytes), 0, err);
	return code ? code : luks2_device_flush(device, err);
}

static enum mortise_code copy_area(const struct conversion *job, uint32_t from, uint32_t to,
				   struct mortise_error *err)
{
	const struct luks2_device *device = job->header->device;
	const size_t size = luks2_area_used(job->disk.key_size);
	uint8_t *area = malloc(size);
	enum mortise_code code;

	if (!area)
		return error_memory(err);
	code = luks2_device_read(device, area, size, (uint64_t)from * LUKS1_SECTOR, err);
	if (!code)
		code = luks2_device_write(device, area, size, (uint64_t)to * LUKS1_SECTOR, err);
	if (!code)
		code = luks2_device_flush(device, err);
	free(area);
	return code;
}

static enum mortise_code move_area(struct conversion *job, int i, struct mortise_error *err)
{
	struct luks1_keyslot *from = &job->disk.keyslot[i], *to;
	enum mortise_code code = copy_area(job, from->offset, job->move[i].offset, err);

	if (code)
		return code;
	if (job->move[i].to < 0) {
		from->offset = job->move[i].offset;
		return write_luks1(job, err);
	}
	to = &job->disk.keyslot[job->move[i].to];
	to->iterations = from->iterations;
	memcpy(to->salt, from->salt, sizeof(to->salt));
	code = write_luks1(job, err);
	if (code)
		return code;
	to->state = LUKS1_ACTIVE;
	code = write_luks1(job, err);
	if (code)
		return code;
	from->state = LUKS1_INACTIVE;
	return write_luks1(job, err);
}

static enum mortise_code write_luks2(struct mortise_luks2 *header, struct json_object *metadata,
				     struct mortise_error *err)
{
	struct luks2_binary primary = { .copy_size = LUKS2_COPY_SIZE_MIN, .seqid = 2 }, secondary;
	const char *text = luks2_json_plain(metadata);
	uint8_t first[LUKS2_BINARY_SIZE];
	char *area = calloc(1, JSON_SIZE);
	enum mortise_code code;

	if (!text || !area) {
		code = error_memory(err);
		goto out;
	}
	memcpy(area, text, strlen(text));
	snprintf(primary.checksum_hash, sizeof(primary.checksum_hash), "sha256");
	memcpy(primary.uuid, header->luks1->uuid, sizeof(primary.uuid));
	secondary = primary;
	code = random_bytes(primary.salt, sizeof(primary.salt), err);
	if (!code)
		code = random_bytes(secondary.salt, sizeof(secondary.salt), err);
	if (!code)
		code = luks2_copy_write(header->device, &secondary, LUKS2_COPY_SIZE_MIN, area, err);
	if (code)
		goto out;
	luks2_binary_encode(&primary, 0, first);
	code = luks2_device_write(header->device, first, LUKS1_SECTOR, 0, err);
	if (!code)
		code = luks2_device_flush(header->device, err);
	if (!code)
		code = luks2_copy_write(header->device, &primary, 0, area, err);
out:
	free(area);
	return code;
}

/* The part of an old area that no header copy has overwritten. */
static enum mortise_code wipe_old(const struct conversion *job, const struct luks1_binary *old,
				  struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (int i = 0; !code && i < (int)LUKS1_KEYSLOTS; i++) {
		const uint64_t from = (uint64_t)old->keyslot[i].offset * LUKS1_SECTOR;
		const uint64_t end = from + luks2_area_used(old->key_size);

		if (job->move[i].offset && end > COPIES)
			code = luks2_area_wipe(job->header->device, COPIES, end - COPIES, NULL,
					       err);
	}
	return code;
}

static enum mortise_code check_unchanged(struct conversion *job, struct mortise_error *err)
{
	enum mortise_code code;

	code = luks2_device_read(job->header->device, job->bytes, sizeof(job->bytes), 0, err);
	if (code)
		return code;
	if (luks1_decode(job->bytes, &job->disk, NULL) ||
	    memcmp(&job->disk, job->header->luks1, sizeof(job->disk)) != 0)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "the header of %s has changed since it was read; run again",
				 job->header->device->path);
	return MORTISE_OK;
}

static enum mortise_code convert_locked(struct conversion *job, struct mortise_error *err)
{
	struct mortise_luks2 *header = job->header;
	struct luks1_binary old;
	struct json_object *metadata = NULL;
	enum mortise_code code;

	code = check_unchanged(job, err);
	if (!code)
		code = check_luksmeta(job, err);
	if (!code)
		code = plan(job, err);
	if (code)
		return code;
	old = job->disk;
	metadata = luks1_metadata_new(&job->final, job->limit - COPIES);
	code = check_result(job, metadata, err);
	for (int i = 0; !code && i < (int)LUKS1_KEYSLOTS; i++)
		if (job->move[i].offset)
			code = move_area(job, i, err);
	if (!code)
		code = write_luks2(header, metadata, err);
	json_object_put(metadata);
	if (code)
		return code;
	free(header->luks1);
	header->luks1 = NULL;
	code = luks2_header_read_again(header, err);
	return code ? code : wipe_old(job, &old, err);
}

enum mortise_code luks1_to_luks2(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct conversion job = { .header = header, .limit = choose_limit(header) };
	enum mortise_code code;

	if (header->readonly)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot convert the header of %s: it was opened read-only",
				 header->device->path);
	job.disk = *header->luks1;
	if (job.limit <= COPIES)
		return no_space(&job, err);
	code = luks2_device_writable(header->device, err);
	if (!code)
		code = luks2_device_lock(header->device, true, err);
	if (code)
		return code;
	code = convert_locked(&job, err);
	luks2_device_unlock(header->device);
	secret_wipe(&job, sizeof(job));
	return code;
}
