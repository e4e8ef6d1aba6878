/* SPDX-License-Identifier: MIT */
/*
 * LUKS1 headers. In memory, a LUKS1 header is a struct mortise_luks2 whose metadata describes the
 * same keyslots, segment and digest as LUKS2 JSON, so that everything that reads a header works
 * with both. Only conversion writes LUKS1 headers.
 */
#ifndef LUKS2_LUKS1_H
#define LUKS2_LUKS1_H

#include "luks2/header.h"

#define LUKS1_SIZE	592u	/* bytes */
#define LUKS1_KEYSLOTS	8u
#define LUKS1_SALT_SIZE	32u	/* bytes */
#define LUKS1_DIGEST_SIZE 20u	/* bytes */
#define LUKS1_SECTOR	512u	/* bytes */
#define LUKS1_AREA_MIN	4096u	/* bytes: where the first area of cryptsetup's headers begins */
#define LUKS1_ACTIVE	UINT32_C(0x00ac71f3)
#define LUKS1_INACTIVE	UINT32_C(0x0000dead)

struct luks1_keyslot {
	uint32_t state;		/* LUKS1_ACTIVE; any other value: inactive */
	uint32_t iterations;
	uint8_t salt[LUKS1_SALT_SIZE];
	uint32_t offset;	/* sectors; inactive keyslots reserve an area, too */
};

struct luks1_binary {
	char cipher[32];	/* "aes" */
	char mode[32];		/* "xts-plain64" */
	char hash[32];
	uint32_t payload;	/* sectors: where the data begins; may be 0 if detached */
	uint32_t key_size;	/* bytes of volume key and area keys */
	uint8_t digest[LUKS1_DIGEST_SIZE];
	uint8_t digest_salt[LUKS1_SALT_SIZE];
	uint32_t digest_iterations;
	char uuid[40];
	struct luks1_keyslot keyslot[LUKS1_KEYSLOTS];
};

/* MORTISE_E_NOT_LUKS2: other magic or version. MORTISE_E_CORRUPT: the text names the field. */
MORTISE_MUST_CHECK enum mortise_code luks1_decode(const uint8_t bytes[static LUKS1_SIZE],
						  struct luks1_binary *binary,
						  struct mortise_error *err);
void luks1_encode(const struct luks1_binary *binary, uint8_t bytes[static LUKS1_SIZE]);

/* The sectors that an area uses. */
uint64_t luks1_area_sectors(const struct luks1_binary *binary);

/* The end of the last area in bytes. */
uint64_t luks1_areas_end(const struct luks1_binary *binary);

/* Keyslots, segment and digest as LUKS2 metadata. keyslots_size: bytes, 0: unknown. NULL: no memory. */
struct json_object *luks1_metadata_new(const struct luks1_binary *binary, uint64_t keyslots_size);

/*
 * Converts the header on the disk and in memory. A cut at any write leaves one complete header.
 * The kernel must not have the header in use. MORTISE_E_CHANGED; MORTISE_E_NO_SPACE: no room for the
 * second copy of an area; MORTISE_E_UNSUPPORTED, MORTISE_E_POLICY: mortise would not open the result.
 */
MORTISE_MUST_CHECK enum mortise_code luks1_to_luks2(struct mortise_luks2 *header,
						    struct mortise_error *err);
/* The reverse. MORTISE_E_UNSUPPORTED: LUKS1 cannot express the header; with cryptsetup's messages. */
MORTISE_MUST_CHECK enum mortise_code luks2_to_luks1(struct mortise_luks2 *header,
						    struct mortise_error *err);

/*
 * Reads a LUKS1 header. On success the header owns device; it cannot be updated. The errors of
 * luks1_decode(); MORTISE_E_UNSUPPORTED: this build lacks LUKS1.
 */
MORTISE_MUST_CHECK enum mortise_code luks1_header_read(struct luks2_device *device,
						       struct mortise_luks2 **out,
						       struct mortise_error *err);

#endif
