/* SPDX-License-Identifier: MIT */
/* The binary header: the first 4096 bytes of each header copy (specification, section 2). */
#ifndef LUKS2_BINARY_H
#define LUKS2_BINARY_H

#include <mortise.h>

#define LUKS2_BINARY_SIZE	4096u
#define LUKS2_COPY_SIZE_MIN	16384u	/* 16 KiB: binary header and JSON area */
#define LUKS2_COPY_SIZE_MAX	4194304u
#define LUKS2_KEYSLOTS_SIZE_MAX	(128u << 20) /* cryptsetup's limit */
#define LUKS2_HEADER_SALT_SIZE	64u

/* The decoded binary header of one copy. Strings are truncated to their fields. */
struct luks2_binary {
	uint64_t copy_size;	/* bytes: binary header and JSON area */
	uint64_t seqid;
	char label[MORTISE_LABEL_MAX + 1];
	char checksum_hash[MORTISE_HASH_MAX];
	uint8_t salt[LUKS2_HEADER_SALT_SIZE];
	char uuid[40];
	char subsystem[MORTISE_LABEL_MAX + 1];
};

/* True for the nine sizes that a header copy can have: powers of two, 16 KiB to 4 MiB. */
bool luks2_copy_size_valid(uint64_t size);

/* True if the first bytes of a device are a LUKS1 header, as far as it can be recognized. */
bool luks2_binary_is_luks1(const uint8_t bytes[static LUKS2_BINARY_SIZE]);

/*
 * Decodes 4096 bytes read at offset. MORTISE_E_NOT_LUKS2: the magic of this copy is missing, or the
 * version is not 2. MORTISE_E_CORRUPT: the offset or size in the header is wrong.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_binary_decode(const uint8_t bytes[static LUKS2_BINARY_SIZE], uint64_t offset,
		    struct luks2_binary *binary, struct mortise_error *err);

/* Encodes for offset (0: the primary copy), with a zero checksum. */
void luks2_binary_encode(const struct luks2_binary *binary, uint64_t offset,
			 uint8_t bytes[static LUKS2_BINARY_SIZE]);

/*
 * The checksum of a whole copy (binary->copy_size bytes): set stores it in its field, check
 * compares it. MORTISE_E_CORRUPT: it differs.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_checksum_set(const struct luks2_binary *binary,
							uint8_t *copy, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_checksum_check(const struct luks2_binary *binary,
							  const uint8_t *copy,
							  struct mortise_error *err);

#endif
