/* SPDX-License-Identifier: MIT */
/* Inside the hotzone: its buffers, and the work on their slices. */
#ifndef VOLUME_HOTZONE_PRIVATE_H
#define VOLUME_HOTZONE_PRIVATE_H

#include "keys/area.h"
#include "keys/hash.h"
#include "volume/hotzone.h"
#include "volume/pool.h"

/* The contexts of one thread. */
struct hotzone_lane {
	struct keys_sectors_cipher *before, *after; /* NULL: not encrypted */
	struct keys_hash *hash;			    /* NULL: no checksums */
};

/* A zone, or a piece of it. */
struct hotzone_buffer {
	uint8_t *data;
	uint8_t *sums; /* GUARD_CHECKSUM: of the blocks; of a whole zone even if it is larger */
	size_t used;   /* bytes of data that have ever been used */
};

struct hotzone {
	const struct mortise_luks2 *header;
	const struct luks2_reencryption *state; /* changes with each commit */
	struct luks2_reencryption fixed; /* the numbers that do not; threads use only these */
	const char *path;		 /* of the data device */
	int fd;
	uint64_t size;	 /* bytes of the data */
	size_t room;	 /* bytes of a buffer */
	size_t sum_size; /* bytes of one checksum */
	struct hotzone_buffer buffer[2], *now, *next;
	struct pool *pool;
	struct hotzone_lane lane[POOL_MAX];
	struct luks2_zone ahead; /* what is being read into *next; length 0: nothing */
	struct hotzone_work {
		struct pool_job job;
		const struct hotzone *hotzone;
		struct hotzone_buffer *buffer;
		uint64_t start; /* bytes from the start of the data to the start of the buffer */
		uint64_t done;	/* bytes from the start of the zone to the start of the buffer */
		uint8_t *sums;	/* of the blocks in the buffer; NULL: none are needed */
		bool read, journal, convert; /* hotzone_prepare_slice(): what it does */
	} reading;
};

/*
 * Reads, makes the checksums, copies the old data to the journal, and converts it in memory, as far as
 * the work says.
 */
enum mortise_code hotzone_prepare_slice(struct pool_job *job, unsigned worker, size_t at,
					size_t size, struct mortise_error *err);

/*
 * Writes what was converted, at once: many file systems let only one thread write to a file at a time, and
 * the others convert the next zone meanwhile.
 */
MORTISE_MUST_CHECK enum mortise_code hotzone_write(const struct hotzone_work *work,
						   struct mortise_error *err);

/*
 * Converts the blocks on the device that still have their old checksum; a block is written whole or
 * not at all.
 */
enum mortise_code hotzone_recover_slice(struct pool_job *job, unsigned worker, size_t at,
					size_t size, struct mortise_error *err);

/* Waits until the device has what was written. */
MORTISE_MUST_CHECK enum mortise_code hotzone_flush(const struct hotzone *hotzone,
						   struct mortise_error *err);

#endif
