/* SPDX-License-Identifier: MIT */
#include "disk/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "disk/remains.h"
#include "disk/reset_mark.h"
#include "disk/signatures.h"
#include "luks2/format.h"

#define EDGE   (1u << 20)  /* bytes at either end that must be zero */
#define PIECE  (64u << 10) /* bytes read at once: more than both copies of a header */
#define SECTOR 512u

_Static_assert(PIECE >= 2 * LUKS2_COPY_SIZE_MIN, "the first piece holds a whole unfinished header");

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

/*
 * A sector that an interrupted format leaves while nothing else is written: the start of a binary
 * header with the mark, or a sector of the JSON area whose text begins with the mark.
 */
static bool is_unfinished_sector(const uint8_t *edge, size_t at)
{
	struct luks2_binary binary;
	size_t area = at >= LUKS2_COPY_SIZE_MIN ? LUKS2_COPY_SIZE_MIN : 0;
	const uint8_t *json = edge + area + LUKS2_BINARY_SIZE;

	if (at >= 2 * LUKS2_COPY_SIZE_MIN)
		return false;
	if (at == area)
		return !luks2_binary_decode(edge + at, area, &binary, NULL) &&
		       !strcmp(binary.subsystem, LUKS2_UNFINISHED_SUBSYSTEM);
	return at >= area + LUKS2_BINARY_SIZE &&
	       !memcmp(json, LUKS2_UNFINISHED_JSON, strlen(LUKS2_UNFINISHED_JSON));
}

/* piece: size bytes of the first MiB, from byte offset on. */
static void check_first_piece(const uint8_t *piece, size_t size, uint64_t offset,
			      struct disk_probe *probe)
{
	for (size_t at = 0; at < size; at += SECTOR) {
		size_t room = size - at < SECTOR ? size - at : SECTOR;

		if (all_zero(piece + at, room))
			continue;
		if (room == SECTOR && !offset && is_unfinished_sector(piece, at)) {
			probe->content = DISK_UNFINISHED;
			continue;
		}
		probe->content = DISK_OTHER;
		probe->unknown = true;
		snprintf(probe->type, sizeof(probe->type),
			 "unknown data (the sector at byte %" PRIu64 " is not zero)", offset + at);
		return;
	}
}

/* In pieces, for machines with little memory. */
static enum mortise_code check_edges(const struct luks2_device *device, struct disk_probe *probe,
				     struct mortise_error *err)
{
	const uint64_t edge = device->size < EDGE ? device->size : EDGE;
	const uint64_t last = device->size - edge;
	uint8_t *piece = calloc(1, PIECE);
	enum mortise_code code = MORTISE_OK;
	size_t size;

	if (!piece)
		return error_memory(err);
	probe->content = DISK_EMPTY;
	for (uint64_t at = 0; !code && at < edge && probe->content != DISK_OTHER; at += size) {
		size = edge - at < PIECE ? (size_t)(edge - at) : PIECE;
		code = luks2_device_read(device, piece, size, at, err);
		if (!code)
			check_first_piece(piece, size, at, probe);
	}
	for (uint64_t at = 0; !code && at < edge && probe->content != DISK_OTHER; at += size) {
		size = edge - at < PIECE ? (size_t)(edge - at) : PIECE;
		code = luks2_device_read(device, piece, size, last + at, err);
		if (code || all_zero(piece, size))
			continue;
		probe->content = DISK_OTHER;
		probe->unknown = true;
		snprintf(probe->type, sizeof(probe->type),
			 "unknown data (its last MiB, from byte %" PRIu64 " on, is not zero)",
			 last);
	}
	free(piece);
	return code;
}

/* The probe of a device that holds what probe says, and another signature. */
static void add_other(struct disk_probe *probe, const char *what, const struct disk_probe *other)
{
	char type[sizeof(other->type)];

	snprintf(type, sizeof(type), "%s", other->type);
	probe->content = DISK_OTHER;
	probe->unknown = false;
	snprintf(probe->type, sizeof(probe->type), "%s and %.80s", what, type);
}

/*
 * If both copies of a header are valid, they decide: libblkid takes random bytes of an encrypted
 * volume for a signature (two bytes are enough for a jmicron RAID member). Only an md superblock
 * at the end of the device counts: the header belongs to the array then, and a write to one member
 * would make its members differ. If a copy is damaged or the header is unfinished, the device may
 * hold something newer.
 */
static enum mortise_code compare_signatures(const struct luks2_device *device, bool finished,
					    struct disk_probe *probe, struct mortise_error *err)
{
	static const char md[] = "linux_raid_member";
	const bool whole = probe->header == DISK_HEADER_WHOLE;
	struct disk_probe other = { .content = DISK_EMPTY };
	bool found;
	enum mortise_code code;

	if (whole && finished)
		code = disk_scan(device, DISK_SCAN_ONLY, md, &other, &found, err);
	else
		code = disk_scan(device, DISK_SCAN_EXCEPT, "crypto_LUKS", &other, &found, err);
	if (code || !found)
		return code;
	add_other(probe,
		  whole && finished ? "a LUKS2 header"
		  : finished	    ? "half a LUKS2 header"
				    : "an interrupted LUKS2 format",
		  &other);
	return MORTISE_OK;
}

/* Finds a header, even if only one of its copies is left. */
static enum mortise_code find_header(const struct luks2_device *device,
				     const struct mortise_events *events, struct disk_probe *probe,
				     bool *found, struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device->path,
						   .readonly = true,
						   .events = events };
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;
	bool finished;

	*found = false;
	code = mortise_luks2_load(&location, &header, err);
	if (code)
		return code;
	*found = true;
	finished = !luks2_format_unfinished(header);
	probe->content = finished ? DISK_LUKS2 : DISK_UNFINISHED;
	probe->header = luks2_header_is_whole(header) ? DISK_HEADER_WHOLE : DISK_HEADER_HALF;
	snprintf(probe->type, sizeof(probe->type), "LUKS2");
	mortise_luks2_free(&header);
	code = compare_signatures(device, finished, probe, err);
	/* An unfinished header has no keyslot that would be worth keeping. */
	if (!finished)
		probe->header = DISK_HEADER_NONE;
	return code;
}

/*
 * A reset removes the mark at the start with its last write: until then nothing else on the device
 * counts. Marks at the offsets of second headers (second) count only if there is no header.
 */
static enum mortise_code find_mark(const struct luks2_device *device, bool second,
				   struct disk_probe *probe, struct mortise_error *err)
{
	struct disk_mark mark = { 0 };
	enum mortise_code code = second ? disk_mark_read(device, &mark, err)
					: disk_mark_first(device, &mark.first, err);

	if (!code && (mark.first || mark.second)) {
		probe->content = DISK_RESETTING;
		snprintf(probe->type, sizeof(probe->type), "an interrupted reset");
	}
	return code;
}

/* Adds what is left of a header to the contents of the device. */
static enum mortise_code add_remains(const struct luks2_device *device, bool is_header,
				     struct disk_probe *probe, struct mortise_error *err)
{
	struct disk_probe other = { .content = DISK_EMPTY };
	const char *what;
	bool found;
	enum mortise_code code = disk_find_remains(device, probe, err);

	if (code)
		return code;
	/* A device with a signature of LUKS2, but no readable header, never counts as empty. */
	if (is_header && probe->header == DISK_HEADER_NONE)
		probe->header = DISK_HEADER_DAMAGED;
	if (probe->header == DISK_HEADER_NONE)
		return MORTISE_OK;
	what = probe->header == DISK_HEADER_ERASED ? "a LUKS2 header without its magic"
						   : "a damaged LUKS2 header";
	code = disk_scan(device, DISK_SCAN_EXCEPT, "crypto_LUKS", &other, &found, err);
	if (code)
		return code;
	probe->content = DISK_OTHER;
	probe->unknown = false;
	snprintf(probe->type, sizeof(probe->type), "%s", what);
	if (found)
		add_other(probe, what, &other);
	return MORTISE_OK;
}

/* corrupt: a header was found, but neither copy is valid. */
static enum mortise_code probe_without_header(const struct luks2_device *device, bool corrupt,
					      struct disk_probe *probe, struct mortise_error *err)
{
	struct disk_probe signature = { .content = DISK_EMPTY };
	bool found, luks2;
	enum mortise_code code;

	code = disk_scan(device, DISK_SCAN_ALL, NULL, &signature, &found, err);
	if (code)
		return code;
	luks2 = found && !strcmp(signature.type, "LUKS2");
	if (found && !luks2) {
		signature.swap = probe->swap;
		*probe = signature;
		if (!strcmp(probe->type, "LUKS1")) {
			probe->header = DISK_HEADER_LUKS1;
			return MORTISE_OK;
		}
	} else {
		code = find_mark(device, true, probe, err);
		if (code || probe->content == DISK_RESETTING)
			return code;
		code = check_edges(device, probe, err);
		if (code || probe->content == DISK_UNFINISHED)
			return code;
	}
	return add_remains(device, luks2 || corrupt, probe, err);
}

/* Is this an error about the header, not about the device or this process? */
static bool is_about_header(enum mortise_code code)
{
	return code != MORTISE_E_DEVICE && code != MORTISE_E_MEMORY && code != MORTISE_E_SYSTEM &&
	       code != MORTISE_E_CANCELED;
}

enum mortise_code disk_probe(const char *path, const struct mortise_events *events,
			     struct disk_probe *probe, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	struct disk_probe other = { .content = DISK_EMPTY };
	struct mortise_error why;
	bool header, found;
	enum mortise_code code;

	memset(probe, 0, sizeof(*probe));
	code = luks2_device_open(path, false, &device, err);
	if (code)
		return code;
	code = disk_scan_swap(device, &probe->swap, err);
	if (!code)
		code = find_mark(device, false, probe, err);
	if (code || probe->content == DISK_RESETTING)
		goto out;
	code = find_header(device, events, probe, &header, &why);
	if (code == MORTISE_E_CORRUPT || code == MORTISE_E_NOT_LUKS2) {
		code = probe_without_header(device, code == MORTISE_E_CORRUPT, probe, err);
		goto out;
	}
	if (!code)
		goto out;
	/* A header that this device cannot have is that of a disk image in a file system. */
	if (!header && is_about_header(code) &&
	    !disk_scan(device, DISK_SCAN_EXCEPT, "crypto_LUKS", &other, &found, NULL) && found) {
		code = MORTISE_OK;
		probe->header = DISK_HEADER_DAMAGED;
		add_other(probe, "half a LUKS2 header", &other);
	} else if (err) {
		*err = why;
	}
out:
	luks2_device_close(device);
	return code;
}

enum mortise_code disk_holds_filesystem(const char *path, const char *type, bool *holds,
					struct mortise_error *err)
{
	struct disk_probe ignored;
	struct luks2_device *device = NULL;
	bool own = false, member = false;
	enum mortise_code code;

	*holds = false;
	code = luks2_device_open(path, false, &device, err);
	if (code)
		return code;
	code = disk_scan(device, DISK_SCAN_ONLY, type, &ignored, &own, err);
	if (!code && own)
		code = disk_scan(device, DISK_SCAN_ONLY, "linux_raid_member", &ignored, &member,
				 err);
	*holds = !code && own && !member;
	luks2_device_close(device);
	return code;
}
