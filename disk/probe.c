/* SPDX-License-Identifier: MIT */
#include "disk/probe.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "luks2/format.h"
#include "disk/reset_mark.h"

#define EDGE   (1u << 20)  /* bytes at either end that must be zero */
#define PIECE  (64u << 10) /* bytes read at once: more than both copies of a header */
#define SECTOR 512u

_Static_assert(PIECE >= 2 * LUKS2_COPY_SIZE_MIN, "the first piece holds a whole unfinished header");

static const char *get_value(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) ? "" : value;
}

/* Finds signatures, or only those other than LUKS. *luks2: the signature is that of LUKS2. */
static enum mortise_code find_signatures(const struct luks2_device *device, bool except_luks,
					 struct disk_probe *probe, bool *found, bool *luks2,
					 struct mortise_error *err)
{
	static char luks_name[] = "crypto_LUKS";
	char *luks[] = { luks_name, NULL };
	blkid_probe blkid = blkid_new_probe();
	enum mortise_code code = MORTISE_OK;
	int answer;

	*found = *luks2 = false;
	if (!blkid || blkid_probe_set_device(blkid, device->fd, 0, 0) ||
	    blkid_probe_enable_superblocks(blkid, 1) ||
	    blkid_probe_set_superblocks_flags(blkid, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_VERSION |
							     BLKID_SUBLKS_USAGE) ||
	    (except_luks && blkid_probe_filter_superblocks_type(blkid, BLKID_FLTR_NOTIN, luks)) ||
	    blkid_probe_enable_partitions(blkid, 1)) {
		code = error_set(err, MORTISE_E_SYSTEM, 0, "cannot probe %s: libblkid failed",
				 device->path);
		goto out;
	}
	answer = blkid_do_safeprobe(blkid);
	if (answer == -2) {
		*found = true;
		probe->content = DISK_OTHER;
		snprintf(probe->type, sizeof(probe->type), "several signatures");
	} else if (answer < 0) {
		code = error_set(err, MORTISE_E_SYSTEM, 0, "cannot read %s: libblkid failed",
				 device->path);
	} else if (answer == 0) {
		const char *type = get_value(blkid, "TYPE");
		const char *table = get_value(blkid, "PTTYPE");

		*found = true;
		*luks2 = !strcmp(type, "crypto_LUKS") && !strcmp(get_value(blkid, "VERSION"), "2");
		probe->content = !strcmp(get_value(blkid, "USAGE"), "filesystem") ? DISK_FILESYSTEM
										  : DISK_OTHER;
		if (!strcmp(type, "crypto_LUKS"))
			snprintf(probe->type, sizeof(probe->type), "LUKS%.20s",
				 get_value(blkid, "VERSION"));
		else if (*type)
			snprintf(probe->type, sizeof(probe->type), "%.100s", type);
		else
			snprintf(probe->type, sizeof(probe->type), "a partition table (%.60s)",
				 table);
	}
out:
	blkid_free_probe(blkid);
	return code;
}

/* What the child process of disk_probe_signatures() finds out. */
struct answer {
	enum mortise_code code;
	struct disk_probe probe;
	struct mortise_error err;
};

static void answer_parent(const struct luks2_device *device, int fd)
{
	struct answer answer = { .code = MORTISE_OK };
	bool found, luks2;

	answer.code = find_signatures(device, false, &answer.probe, &found, &luks2, &answer.err);
	_exit(write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

enum mortise_code disk_probe_signatures(const struct luks2_device *device, struct disk_probe *probe,
					struct mortise_error *err)
{
	struct answer answer = { .code = MORTISE_OK };
	int ends[2] = { -1, -1 }, sys;
	ssize_t got = 0;
	pid_t child = -1;

	memset(probe, 0, sizeof(*probe));
	if (!pipe2(ends, O_CLOEXEC))
		child = fork();
	sys = errno;
	if (!child)
		answer_parent(device, ends[1]);
	close(ends[1]);
	if (child > 0) {
		got = file_read_fd(ends[0], &answer, sizeof(answer));
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (got != (ssize_t)sizeof(answer))
		return error_set(err, MORTISE_E_SYSTEM, child < 0 ? sys : 0,
				 "cannot probe %s in another process", device->path);
	*probe = answer.probe;
	if (answer.code && err)
		*err = answer.err;
	return answer.code;
}

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

/*
 * Finds a header, even if only its second copy is left. If a copy is damaged or the header is
 * unfinished, the device may hold something newer, which another signature shows.
 */
static enum mortise_code find_header(const struct luks2_device *device,
				     const struct mortise_events *events, struct disk_probe *probe,
				     bool *found, struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device->path,
						   .readonly = true,
						   .events = events };
	struct disk_probe other = { .content = DISK_EMPTY };
	struct mortise_luks2 *header = NULL;
	bool doubtful, has_other = false, ignored;
	enum mortise_code code;

	*found = false;
	code = mortise_luks2_load(&location, &header, err);
	if (code)
		return code;
	*found = true;
	probe->content = luks2_format_unfinished(header) ? DISK_UNFINISHED : DISK_LUKS2;
	snprintf(probe->type, sizeof(probe->type), "LUKS2");
	doubtful = !luks2_header_is_whole(header) || probe->content == DISK_UNFINISHED;
	mortise_luks2_free(&header);
	if (doubtful)
		code = find_signatures(device, true, &other, &has_other, &ignored, err);
	if (has_other) {
		probe->content = DISK_OTHER;
		snprintf(probe->type, sizeof(probe->type), "half a LUKS2 header and %.60s",
			 other.type);
	}
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

enum mortise_code disk_probe(const char *path, const struct mortise_events *events,
			     struct disk_probe *probe, struct mortise_error *err)
{
	struct disk_probe signature = { .content = DISK_EMPTY };
	struct luks2_device *device = NULL;
	bool found, luks2, header, corrupt;
	struct mortise_error why;
	enum mortise_code code;

	memset(probe, 0, sizeof(*probe));
	code = luks2_device_open(path, false, &device, err);
	if (code)
		return code;
	code = find_mark(device, false, probe, err);
	if (code || probe->content == DISK_RESETTING)
		goto out;
	code = find_signatures(device, false, &signature, &found, &luks2, err);
	if (code)
		goto out;
	if (found && !luks2) {
		*probe = signature;
		goto out;
	}
	code = find_header(device, events, probe, &header, &why);
	corrupt = code == MORTISE_E_CORRUPT;
	if (header || (code && !corrupt && code != MORTISE_E_NOT_LUKS2)) {
		if (code && err)
			*err = why;
		goto out;
	}
	code = find_mark(device, true, probe, err);
	if (code || probe->content == DISK_RESETTING)
		goto out;
	code = check_edges(device, probe, err);
	if (code)
		goto out;
	/* A device with a signature but no readable header never counts as empty. */
	if ((luks2 && probe->content == DISK_OTHER) ||
	    ((found || corrupt) && probe->content == DISK_EMPTY)) {
		probe->content = DISK_OTHER;
		probe->unknown = false;
		snprintf(probe->type, sizeof(probe->type), "a damaged LUKS2 header");
	}
out:
	luks2_device_close(device);
	return code;
}
