/* SPDX-License-Identifier: MIT */
/*
 * The mark of a device that is being reset. It takes the place of both header copies' magic, so
 * that nothing can find a header any more, and says how far keys may lie: the header that knew
 * it is the first thing to go.
 */
#ifndef DISK_RESET_MARK_H
#define DISK_RESET_MARK_H

#include "luks2/device.h"

#define DISK_MARK_SIZE	512u	/* bytes: what a power cut leaves whole */

struct disk_mark {
	bool first;		/* at the start of the device */
	bool second;		/* where a second header was */
	bool second_header;	/* the magic of one is still there */
	uint64_t keys_end;	/* bytes, of the first mark that was found; 0: none */
};

/* Looks at the start of the device alone, which costs every boot one read. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_first(const struct luks2_device *device,
						     bool *marked, struct mortise_error *err);

/* Reads the start of the device and the places of second headers. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_look(const struct luks2_device *device,
						    struct disk_mark *mark,
						    struct mortise_error *err);

/*
 * Marks the device. Second headers go first, each flushed: until the one write at the start it
 * is still the volume that it was, which mends itself, and from then on it is none. Were it the
 * other way round, the second header would bring the first one back.
 */
MORTISE_MUST_CHECK enum mortise_code disk_mark_put(const struct luks2_device *device,
						   uint64_t keys_end, struct mortise_error *err);

/* Takes the mark at the start away, and flushes. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_remove(const struct luks2_device *device,
						      struct mortise_error *err);

#endif
