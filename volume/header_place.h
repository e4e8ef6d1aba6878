/* SPDX-License-Identifier: MIT */
/*
 * Placing the header of an encryption at the start of a device whose data is plain. The data there
 * was copied to the end of the device, and the header to the free space behind the data, before
 * anything is overwritten. So a cut at any moment leaves the data as it was, or a header that a later
 * run completes.
 */
#ifndef VOLUME_HEADER_PLACE_H
#define VOLUME_HEADER_PLACE_H

#include "luks2/header.h"
#include "luks2/reencrypt.h"

#define HEADER_FILE_ROOM 64u /* bytes of the path of a file in memory */

/* Where the parts of a header are, in bytes. */
struct header_place {
	struct luks2_reencryption state;
	uint64_t copies;	/* both copies: from 0 */
	uint64_t used;		/* the end of the last keyslot area in use */
	uint64_t end;		/* of the keyslots area */
	uint64_t spare;		/* on the device: the second one of the bytes before used */
};

/*
 * Finds the place. MORTISE_E_USAGE: the header does not begin an encryption that moves data.
 * MORTISE_E_NO_SPACE: the device is too small for both.
 */
MORTISE_MUST_CHECK enum mortise_code header_place_find(const struct mortise_luks2 *header,
						       struct header_place *place,
						       struct mortise_error *err);

/* Creates an empty file in memory for a header; close(2) frees it. */
MORTISE_MUST_CHECK enum mortise_code header_place_file(int *fd, char path[static HEADER_FILE_ROOM],
						       struct mortise_error *err);

/* Moves data ahead and writes the header, which is in a file, to device. */
MORTISE_MUST_CHECK enum mortise_code header_place(const struct mortise_luks2 *header,
						  struct luks2_device *device,
						  struct mortise_error *err);

/*
 * Continues header_place() on a device that was cut during its last step, and has no header yet.
 * shift: bytes of the header's space. *done: false if the device was not cut there.
 * MORTISE_E_CHANGED: the device was written to since.
 */
MORTISE_MUST_CHECK enum mortise_code header_place_resume(struct luks2_device *device,
							 uint64_t shift, bool *done,
							 struct mortise_error *err);

/* The same for a header that was read from the device, if nothing is encrypted yet. */
MORTISE_MUST_CHECK enum mortise_code header_place_complete(const struct mortise_luks2 *header,
							   struct mortise_error *err);

/* Copies size bytes on a device and flushes. The ranges do not overlap. */
MORTISE_MUST_CHECK enum mortise_code header_place_copy(const struct luks2_device *source,
						       uint64_t from,
						       const struct luks2_device *target,
						       uint64_t to, uint64_t size,
						       struct mortise_error *err);

#endif
