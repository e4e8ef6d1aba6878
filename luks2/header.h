/* SPDX-License-Identifier: MIT */
/*
 * A LUKS2 header in memory and on its device: reading it, updating it, and what other folders may
 * know about it. The structures are in luks2/private.h, which only luks2/ includes.
 */
#ifndef LUKS2_HEADER_H
#define LUKS2_HEADER_H

#include "luks2/binary.h"
#include "luks2/device.h"
#include "luks2/metadata.h"

/* A keyslot area and the key that encrypts it. */
struct luks2_area {
	const char *cipher;
	const uint8_t *key;
	size_t key_size;	/* bytes */
	uint64_t offset;	/* bytes on the header's device */
	size_t size;		/* bytes, multiple of 512 */
};

/*
 * Access to areas whose cipher only the kernel has. read and write transfer the plain bytes of an
 * area; write returns after they are on stable storage.
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

/* Called around each key derivation with its memory in bytes. enter may block. */
struct memory_limiter {
	void (*enter)(void *context, uint64_t memory);
	void (*leave)(void *context, uint64_t memory);
	void *context;
};

/* Whether a damaged or stale header copy is rewritten from the other copy. */
enum luks2_mend {
	LUKS2_MEND_NEVER,
	LUKS2_MEND_REFUSE, /* never, and the read fails if the next policy would */
	LUKS2_MEND_UNLESS_FOREIGN, /* unless luks2_mending_allowed() finds something else */
	LUKS2_MEND_ALWAYS,
};

/*
 * Reads both copies, chooses the newer valid one, and mends the other. On success the header owns
 * device. The error names the device and why each copy is invalid.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_read(struct luks2_device *device,
						       enum luks2_mend mend,
						       struct mortise_luks2 **out,
						       struct mortise_error *err);

/*
 * Reads the header again after another process has changed it. Pointers into the old metadata
 * become invalid; the known volume key stays. On failure the header is unchanged.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_read_again(struct mortise_luks2 *header,
							     struct mortise_error *err);

/* For a detached header. Without this call the data is on the header's device. */
MORTISE_MUST_CHECK enum mortise_code luks2_header_set_data_path(struct mortise_luks2 *header,
								const char *path,
								struct mortise_error *err);

/* Refuses every later update. */
void luks2_header_set_readonly(struct mortise_luks2 *header);
bool luks2_header_is_readonly(const struct mortise_luks2 *header);

/* LUKS1 (luks1.h), whose header cannot be updated. */
bool luks2_header_is_luks1(const struct mortise_luks2 *header);

/* Seconds that a keyslot or digest may take by default. */
#define LUKS2_MAX_UNLOCK_S 60u

/* Refuses keyslots and digests that would take longer than this on this machine. 0: the default. */
void luks2_header_set_max_unlock(struct mortise_luks2 *header, uint32_t seconds);
uint32_t luks2_header_max_unlock(const struct mortise_luks2 *header);

/* Accepts a cipher that is not on the list of ciphers.h. NULL: none. */
void luks2_header_allow_cipher(struct mortise_luks2 *header, const char *cipher);
/* luks2_cipher_check() for a cipher of this header. */
MORTISE_MUST_CHECK enum mortise_code luks2_header_check_cipher(const struct mortise_luks2 *header,
							       const char *who, const char *cipher,
							       uint32_t key_size,
							       struct mortise_error *err);

/* luks2_integrity_check() for the data segment. key_size: bytes of the volume key. */
struct luks2_segment;
MORTISE_MUST_CHECK enum mortise_code luks2_header_check_segment(const struct mortise_luks2 *header,
								const struct luks2_segment *segment,
								size_t key_size,
								struct mortise_error *err);

void luks2_header_set_kernel_cipher(struct mortise_luks2 *header,
				    const struct luks2_kernel_cipher *cipher);
/* NULL: operations on the header cannot be canceled. Copied. */
void luks2_header_set_events(struct mortise_luks2 *header, const struct mortise_events *events);
const struct mortise_events *luks2_header_events(const struct mortise_luks2 *header);

void luks2_header_set_limiter(struct mortise_luks2 *header, struct memory_limiter limiter);

/* Moves the known volume key to header and copies the limiter and the events. */
void luks2_header_inherit(struct mortise_luks2 *header, struct mortise_luks2 *from);

const char *luks2_header_uuid(const struct mortise_luks2 *header);
const char *luks2_header_data_path(const struct mortise_luks2 *header);
struct luks2_device *luks2_header_device(const struct mortise_luks2 *header);
const struct luks2_binary *luks2_header_binary(const struct mortise_luks2 *header);

/* Makes the header know this volume key, which the caller has verified. Copies it. */
MORTISE_MUST_CHECK enum mortise_code luks2_header_set_volume_key(struct mortise_luks2 *header,
								 const struct mortise_secret *key,
								 struct mortise_error *err);

/* The volume key if format, open or verify has left one, else NULL. The header owns it. */
const struct mortise_secret *luks2_header_volume_key(const struct mortise_luks2 *header);

/*
 * The same for the key after a reencryption that replaces the volume key. The volume key is the one
 * before.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_header_set_next_key(struct mortise_luks2 *header,
							       const struct mortise_secret *key,
							       struct mortise_error *err);
const struct mortise_secret *luks2_header_next_key(const struct mortise_luks2 *header);

/* True if both copies are valid and equally new. */
bool luks2_header_is_whole(const struct mortise_luks2 *header);

/* True if UUID, sequence number and metadata are equal. */
bool luks2_header_equal(const struct mortise_luks2 *a, const struct mortise_luks2 *b);

/* For the look-ups of metadata.h and policy.h, and for reading tokens. */
struct json_object *luks2_header_metadata(const struct mortise_luks2 *header);

/* A change of the header: a copy of its metadata, which replaces the header's on commit. */
struct luks2_update;

/*
 * Takes the write lock and checks that the header on disk is still the one that was read
 * ("Detected attempt for concurrent LUKS2 metadata update. Aborting operation.").
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_begin(struct mortise_luks2 *header,
							struct luks2_update **update,
							struct mortise_error *err);

/* The copy. Tokens are changed in it directly. */
struct json_object *luks2_update_metadata(const struct luks2_update *update);

/* Checks that the metadata fits its JSON area: MORTISE_E_NO_SPACE. */
MORTISE_MUST_CHECK enum mortise_code luks2_update_fits(const struct luks2_update *update,
						       struct mortise_error *err);

/*
 * Drops unused digests, validates, and writes both copies with the next sequence number, each
 * flushed before the other is touched. Then it wipes the areas of removed keyslots, still under
 * the lock, because another process could allocate an area as soon as the lock is free. On failure
 * the header is unchanged, unless only the wiping failed. Frees the update.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_update_commit(struct luks2_update **update,
							 struct mortise_error *err);

/* Discards the update and frees it. Does nothing after luks2_update_commit(). */
void luks2_update_abort(struct luks2_update **update);

#endif
