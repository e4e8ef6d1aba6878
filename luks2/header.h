/* SPDX-License-Identifier: MIT */
/* A LUKS2 header in memory and on its device: reading, choosing, mending, updating. */
#ifndef LUKS2_HEADER_H
#define LUKS2_HEADER_H

#include "luks2/binary.h"
#include "luks2/device.h"
#include "luks2/json.h"

/* A keyslot area as the kernel's cipher sees it. */
struct luks2_area {
	const char *cipher;
	const uint8_t *key;
	size_t key_size;	/* bytes */
	uint64_t offset;	/* bytes on the header's device */
	size_t size;		/* bytes, multiple of 512 */
};

/*
 * Ciphers that only the kernel has: reads or writes plain bytes of an area through a mapping
 * that exists only meanwhile. write returns after the bytes are on stable storage.
 */
struct luks2_kernel_cipher {
	enum mortise_code (*read)(void *context, const struct luks2_device *device,
				  const struct luks2_area *area, uint8_t *plain,
				  struct mortise_error *err);
	enum mortise_code (*write)(void *context, const struct luks2_device *device,
				   const struct luks2_area *area, uint8_t *plain,
				   struct mortise_error *err);
	void *context;
};

/* Passed by each key derivation: it may wait until so much memory is free. */
struct memory_limiter {
	void (*enter)(void *context, uint64_t memory); /* bytes */
	void (*leave)(void *context, uint64_t memory);
	void *context;
};

struct mortise_luks2 {
	struct luks2_device *device;	/* of the header */
	char *data_path;		/* of the data; the same path unless detached */
	bool detached;
	bool readonly;			/* nothing is ever written */
	bool primary_bad;		/* damaged or stale, and not mended */
	bool secondary_bad;		/* likewise: an update writes it first */
	bool unmendable;		/* one copy may hold something else: no updates either */
	struct luks2_binary binary;	/* of the primary copy */
	uint8_t second_salt[LUKS2_HEADER_SALT_SIZE]; /* of the secondary one */
	struct json_object *metadata;
	struct mortise_secret *volume_key; /* once known: made, opened or verified here */
	struct luks2_kernel_cipher kernel; /* functions NULL: none */
	struct memory_limiter gate;		/* functions NULL: none */
};

/* Where signatures other than LUKS keep a damaged copy from being mended. */
enum luks2_mend {
	LUKS2_MEND_NEVER,
	LUKS2_MEND_UNLESS_FOREIGN, /* refuse when something else is there: luks2/mending.h */
};

/*
 * Reads both copies from device (which the object takes over when this succeeds), chooses
 * the newer good one, and mends the other. Errors name the device and, for each copy, why.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_read(struct luks2_device *device,
						       enum luks2_mend mend,
						       struct mortise_luks2 **out,
						       struct mortise_error *err);

/*
 * Reads the header anew, after another process has changed it. What was read from the object
 * before is gone; the volume key it knows stays. On failure the object is as before.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_read_again(struct mortise_luks2 *header,
							     struct mortise_error *err);

/* An update: metadata and binary are changed in copies, and become the object's on commit. */
struct luks2_update {
	struct mortise_luks2 *header;
	struct luks2_binary binary;
	struct json_object *metadata;
	/* Areas that nothing refers to after the commit. */
	struct luks2_freed {
		uint64_t offset;
		uint64_t size;	/* bytes */
	} freed[MORTISE_KEYSLOTS_MAX];
	unsigned freed_count;
};

/*
 * Takes the write lock and checks that the header on disk is still the one that was read
 * ("Detected attempt for concurrent LUKS2 metadata update. Aborting operation.").
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_begin(struct mortise_luks2 *header,
							struct luks2_update *update,
							struct mortise_error *err);

/* Does the metadata fit its JSON area? MORTISE_E_NO_SPACE when not. */
MORTISE_MUST_CHECK enum mortise_code luks2_update_fits(const struct luks2_update *update,
						       struct mortise_error *err);

/*
 * Drops digests that nothing uses, validates, writes both copies with the next seqid, each
 * flushed before the other is touched; then, still under the lock, wipes the freed areas:
 * without it another process could be given one of them. On failure the object is as before,
 * unless only the wiping failed. Ends the update.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_commit(struct luks2_update *update,
							 struct mortise_error *err);

/* Ends it without a trace. */
void luks2_update_abort(struct luks2_update *update);

/*
 * Writes both copies of what the update holds, which fits (luks2_update_fits), as it is: each
 * is flushed before the other is touched, and one known to be bad goes first.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_copies_write(const struct luks2_update *update,
							struct mortise_error *err);

/* Writes one copy at offset (0 or copy_size) and flushes it. json: its whole JSON area. */
MORTISE_MUST_CHECK enum mortise_code luks2_copy_write(const struct luks2_device *device,
						      const struct luks2_binary *binary,
						      uint64_t offset, const char *json,
						      struct mortise_error *err);

#endif
