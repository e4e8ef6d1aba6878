/* SPDX-License-Identifier: MIT */
/* BLAKE2b in plain C: one Argon2 derivation hashes only a few hundred blocks with it. */
#include "keys/argon2/blake2b.h"

#include <string.h>

#include "base/secret.h"

static const uint64_t iv[8] = {
	UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
	UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
	UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

/* RFC 7693, section 2.7. Rounds 10 and 11 use the first two rows again. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x >> bits | x << (64 - bits);
}

static inline void quarter_round(uint64_t v[static 4], const uint64_t x, const uint64_t y)
{
	v[0] += v[1] + x;
	v[3] = rotate(v[3] ^ v[0], 32);
	v[2] += v[3];
	v[1] = rotate(v[1] ^ v[2], 24);
	v[0] += v[1] + y;
	v[3] = rotate(v[3] ^ v[0], 16);
	v[2] += v[3];
	v[1] = rotate(v[1] ^ v[2], 63);
}

static void compress(struct keys_blake2b *hash, const uint8_t block[static 128], uint64_t last)
{
	uint64_t m[16], v[16];

	for (unsigned i = 0; i < 16; i++)
		m[i] = keys_load_le64(block + 8 * i);
	memcpy(v, hash->state, sizeof(hash->state));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= hash->counted[0];
	v[13] ^= hash->counted[1];
	v[14] ^= last;
	for (unsigned round = 0; round < 12; round++) {
		const uint8_t *s = sigma[round % 10];

		for (unsigned i = 0; i < 8; i++) {
			/* Columns, then diagonals. */
			const unsigned turn = i / 4, k = i % 4;
			const unsigned b = 4 + (k + turn) % 4, c = 8 + (k + 2 * turn) % 4;
			const unsigned d = 12 + (k + 3 * turn) % 4;
			uint64_t q[4] = { v[k], v[b], v[c], v[d] };

			quarter_round(q, m[s[2 * i]], m[s[2 * i + 1]]);
			v[k] = q[0];
			v[b] = q[1];
			v[c] = q[2];
			v[d] = q[3];
		}
	}
	for (unsigned i = 0; i < 8; i++)
		hash->state[i] ^= v[i] ^ v[i + 8];
	secret_wipe(m, sizeof(m));
	secret_wipe(v, sizeof(v));
}

static void count_bytes(struct keys_blake2b *hash, uint64_t bytes)
{
	hash->counted[0] += bytes;
	hash->counted[1] += hash->counted[0] < bytes;
}

void keys_blake2b_init(struct keys_blake2b *hash, size_t size)
{
	memset(hash, 0, sizeof(*hash));
	memcpy(hash->state, iv, sizeof(iv));
	/* The parameter block: digest size, no key, fanout 1, depth 1. */
	hash->state[0] ^= UINT64_C(0x01010000) ^ size;
	hash->size = size;
}

void keys_blake2b_update(struct keys_blake2b *hash, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	size_t part;

	while (size) {
		/* Keep a full block: if it is the last one, it is compressed differently. */
		if (hash->used == sizeof(hash->block)) {
			count_bytes(hash, sizeof(hash->block));
			compress(hash, hash->block, 0);
			hash->used = 0;
		}
		part = sizeof(hash->block) - hash->used;
		if (part > size)
			part = size;
		memcpy(hash->block + hash->used, from, part);
		hash->used += part;
		from += part;
		size -= part;
	}
}

void keys_blake2b_final(struct keys_blake2b *hash, uint8_t *digest)
{
	uint8_t bytes[KEYS_BLAKE2B_SIZE_MAX];

	count_bytes(hash, hash->used);
	memset(hash->block + hash->used, 0, sizeof(hash->block) - hash->used);
	compress(hash, hash->block, UINT64_MAX);
	for (unsigned i = 0; i < 8; i++)
		keys_store_le64(bytes + 8 * i, hash->state[i]);
	memcpy(digest, bytes, hash->size);
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(hash, sizeof(*hash));
}

void keys_blake2b_long(uint8_t *out, uint32_t out_size, const void *in, size_t in_size)
{
	const size_t step = KEYS_BLAKE2B_SIZE_MAX / 2;
	uint8_t size_bytes[4], digest[KEYS_BLAKE2B_SIZE_MAX];
	struct keys_blake2b hash;
	size_t left = out_size;

	keys_store_le32(size_bytes, out_size);
	keys_blake2b_init(&hash, left < sizeof(digest) ? left : sizeof(digest));
	keys_blake2b_update(&hash, size_bytes, sizeof(size_bytes));
	keys_blake2b_update(&hash, in, in_size);
	keys_blake2b_final(&hash, digest);
	while (left > sizeof(digest)) {
		memcpy(out, digest, step);
		out += step;
		left -= step;
		keys_blake2b_init(&hash, left < sizeof(digest) ? left : sizeof(digest));
		keys_blake2b_update(&hash, digest, sizeof(digest));
		keys_blake2b_final(&hash, digest);
	}
	memcpy(out, digest, left);
	secret_wipe(digest, sizeof(digest));
}
