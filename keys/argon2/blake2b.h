/* SPDX-License-Identifier: MIT */
/* Unkeyed BLAKE2b (RFC 7693), and the variable-length hash H' that Argon2 builds from it. */
#ifndef KEYS_ARGON2_BLAKE2B_H
#define KEYS_ARGON2_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define KEYS_BLAKE2B_SIZE_MAX	64u
#define KEYS_BLAKE2B_BLOCK_SIZE 128u

/* The state of a hash. Holds secrets until keys_blake2b_final(). */
struct keys_blake2b {
	uint64_t state[8];
	uint64_t counted[2];		/* bytes compressed so far, low word first */
	uint8_t block[KEYS_BLAKE2B_BLOCK_SIZE];
	size_t used;			/* bytes in block */
	size_t size;			/* bytes of the digest */
};

/* size: bytes of the digest, 1..KEYS_BLAKE2B_SIZE_MAX. */
void keys_blake2b_init(struct keys_blake2b *hash, size_t size);
void keys_blake2b_update(struct keys_blake2b *hash, const void *bytes, size_t size);

/* Writes as many bytes to digest as keys_blake2b_init() was given, and wipes *hash. */
void keys_blake2b_final(struct keys_blake2b *hash, uint8_t *digest);

/* H' of RFC 9106, section 3.3. out_size is at least 1, and is hashed together with the input. */
void keys_blake2b_long(uint8_t *out, uint32_t out_size, const void *in, size_t in_size);

static inline uint64_t keys_load_le64(const uint8_t bytes[static 8])
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static inline void keys_store_le64(uint8_t bytes[static 8], uint64_t word)
{
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(word >> (8 * i));
}

static inline void keys_store_le32(uint8_t bytes[static 4], uint32_t word)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(word >> (8 * i));
}

#endif
