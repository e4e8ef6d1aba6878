/* SPDX-License-Identifier: MIT */
/* Inside luks2/: the structures behind header.h, and writing header copies. */
#ifndef LUKS2_PRIVATE_H
#define LUKS2_PRIVATE_H

#include "luks2/header.h"

struct mortise_luks2 {
	struct luks2_device *device;	/* of the header */
	char *data_path;		/* the device's path unless detached */
	bool detached;
	bool readonly;
	bool primary_bad;		/* damaged or stale, and not mended */
	bool secondary_bad;		/* likewise: an update writes it first */
	bool unmendable;		/* one copy may hold foreign data: updates are refused */
	struct luks2_binary binary;	/* of the primary copy */
	uint8_t second_salt[LUKS2_HEADER_SALT_SIZE]; /* of the secondary copy */
	struct json_object *metadata;
	struct luks1_binary *luks1;	/* NULL: LUKS2; else of binary, only the UUID is set */
	struct mortise_secret *volume_key; /* NULL: unknown */
	struct mortise_secret *next_key; /* of a reencryption; NULL: unknown, or there is only one */
	uint32_t max_unlock_s;		/* 0: LUKS2_MAX_UNLOCK_S */
	char allowed_cipher[MORTISE_CIPHER_MAX + 1]; /* in addition to the list; or "" */
	struct luks2_kernel_cipher kernel; /* functions may be NULL */
	struct memory_limiter limiter;	/* functions may be NULL */
};

/* One copy on the device, valid or not. */
struct luks2_copy {
	uint64_t offset;
	bool valid;
	struct luks2_binary binary;
	struct json_object *metadata;	/* the owner's; NULL if the checksum is wrong */
	struct mortise_error why;	/* why it is invalid */
};

/* Reads both copies and mends none. */
MORTISE_MUST_CHECK enum mortise_code luks2_copies_read(struct luks2_device *device,
						       struct luks2_copy out[2],
						       struct mortise_error *err);

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
	bool seal;	/* luks2_update_seal() was called */
};

/*
 * Writes both copies of an update that fits (luks2_update_fits), without changing the sequence
 * number. Each copy is flushed before the other is touched; a copy known to be bad goes first.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_copies_write(const struct luks2_update *update,
							struct mortise_error *err);

/* Writes one copy at offset (0 or copy_size) and flushes it. json is the whole JSON area. */
MORTISE_MUST_CHECK enum mortise_code luks2_copy_write(const struct luks2_device *device,
						      const struct luks2_binary *binary,
						      uint64_t offset, const char *json,
						      struct mortise_error *err);

#endif
