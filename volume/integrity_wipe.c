/* SPDX-License-Identifier: MIT */
/* Writing the tags of a whole volume, through a temporary mapping. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "luks2/header.h"
#include "luks2/policy.h"
#include "volume/activate.h"
#include "volume/integrity.h"

#define PIECE (1u << 20) /* bytes written at once, as cryptsetup */

/* Where the progress is reported. */
struct wipe {
	const struct mortise_events *events;
	const char *volume;
};

static enum mortise_code write_zeros(const struct wipe *wipe, int fd, uint64_t size,
				     const uint8_t *zeros, struct mortise_error *err)
{
	for (uint64_t done = 0; done < size;) {
		size_t now = size - done < PIECE ? (size_t)(size - done) : PIECE;
		ssize_t written = pwrite(fd, zeros, now, (off_t)done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return error_set_at(err, MORTISE_E_SYSTEM, written ? errno : EIO, done,
					    "Device wipe error, offset %" PRIu64, done);
		done += (uint64_t)written;
		if (!events_progress(wipe->events, wipe->volume, "writing integrity tags", done,
				     size) ||
		    events_canceled(wipe->events))
			return events_cancel_error(err);
	}
	return MORTISE_OK;
}

static enum mortise_code wipe_mapping(const struct wipe *wipe, int fd, struct mortise_error *err)
{
	enum mortise_code code;
	off_t size;
	void *zeros;

	if (posix_memalign(&zeros, 4096, PIECE))
		return error_memory(err);
	memset(zeros, 0, PIECE);
	size = lseek(fd, 0, SEEK_END);
	code = write_zeros(wipe, fd, size > 0 ? (uint64_t)size : 0, zeros, err);
	if (fsync(fd) && !code)
		code = error_set(err, MORTISE_E_SYSTEM, errno, "cannot flush the integrity tags");
	free(zeros);
	return code;
}

enum mortise_code volume_integrity_wipe(struct mortise_luks2 *header,
					const struct mortise_secret *volume_key, const char *volume,
					struct mortise_error *err)
{
	const struct wipe wipe = { .events = luks2_header_events(header), .volume = volume };
	const uint32_t flags = MORTISE_NO_JOURNAL | MORTISE_ONLY_GIVEN;
	const struct mortise_secret *key =
		volume_key ? volume_key : luks2_header_volume_key(header);
	struct luks2_segment segment;
	struct mortise_error why = { 0 };
	enum mortise_code code, end;
	char name[64], path[96];
	int fd;

	code = luks2_segment_get(luks2_header_metadata(header), &segment, err);
	if (code)
		return code;
	if (!segment.integrity.type || !key)
		return error_set(err, MORTISE_E_USAGE, 0, "cannot write integrity tags: %s",
				 key ? "the volume has no integrity" : "the volume key is unknown");
	snprintf(name, sizeof(name), "temporary-mortise-%s", luks2_header_uuid(header));
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	code = volume_activate(header, name, key, flags, true, NULL, err);
	if (code)
		return code;
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", path);
	} else {
		/* If this process is killed, the kernel removes both mappings. */
		(void)!mortise_deactivate(name, MORTISE_CLOSE_DEFERRED, &why);
		code = wipe_mapping(&wipe, fd, err);
		(void)!mortise_deactivate(name, MORTISE_CLOSE_CANCEL_DEFERRED, &why);
		close(fd);
	}
	end = mortise_deactivate(name, MORTISE_CLOSE_NOW, code ? &why : err);
	return code ? code : end;
}

enum mortise_code mortise_integrity_wipe(struct mortise_luks2 *header,
					 const struct mortise_secret *volume_key,
					 struct mortise_error *err)
{
	return volume_integrity_wipe(header, volume_key, NULL, err);
}
