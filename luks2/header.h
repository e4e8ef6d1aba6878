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

struct mortise_luks2 {
	struct luks2_device *device;	/* of the header */
	char *data_path;		/* of the data; the same path unless detached */
	bool detached;
	bool readonly;			/* nothing is ever written */
	struct luks2_binary binary;	/* of the primary copy */
	uint8_t second_salt[LUKS2_HEADER_SALT_SIZE]; /* of the secondary one */
	struct json_object *metadata;
	struct mortise_secret *volume_key; /* once known: made, opened or verified here */
	struct luks2_kernel_cipher kernel; /* functions NULL: none */
};

/* Where signatures other than LUKS keep a damaged copy from being mended. */
enum luks2_mend {
	LUKS2_MEND_NEVER,
	LUKS2_MEND_UNLESS_FOREIGN,	/* refuse when libblkid sees another signature */
};

/*
 * Reads both copies from device (which the object takes over when this succeeds), chooses
 * the newer good one, and mends the other. Errors name the device and, for each copy, why.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_read(struct luks2_device *device,
						       enum luks2_mend mend,
						       struct mortise_luks2 **out,
						       struct mortise_error *err);

/* An update: metadata and binary are changed in copies, and become the object's on commit. */
struct luks2_update {
	struct mortise_luks2 *luks2;
	struct luks2_binary binary;
	struct json_object *metadata;
};

/*
 * Takes the write lock and checks that the header on disk is still the one that was read
 * ("Detected attempt for concurrent LUKS2 metadata update. Aborting operation.").
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_begin(struct mortise_luks2 *luks2,
							struct luks2_update *update,
							struct mortise_error *err);

/*
 * Drops digests that nothing uses, validates, writes both copies with the next seqid, each
 * flushed before the other is touched. On failure the object is as before. Ends the update.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_commit(struct luks2_update *update,
							 struct mortise_error *err);

/* Ends it without a trace. */
void luks2_update_abort(struct luks2_update *update);

/* Writes one copy at offset (0 or copy_size) and flushes it. json: its whole JSON area. */
MORTISE_MUST_CHECK enum mortise_code luks2_copy_write(const struct luks2_device *device,
						      const struct luks2_binary *binary,
						      uint64_t offset, const char *json,
						      struct mortise_error *err);

#endif
