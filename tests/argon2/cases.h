/* SPDX-License-Identifier: MIT */
/* Pseudorandom costs and inputs for Argon2: case N is the same on every machine. */
#ifndef TESTS_ARGON2_CASES_H
#define TESTS_ARGON2_CASES_H

#include <stdint.h>
#include <string.h>

#include "keys/argon2/argon2.h"

#define CASE_TAG_MAX   1200u
#define CASE_INPUT_MAX 3000u

struct argon2_case {
	struct mortise_kdf kdf;
	struct keys_argon2_input input;
	uint8_t passphrase[CASE_INPUT_MAX], salt[CASE_INPUT_MAX];
	uint8_t secret[CASE_INPUT_MAX], associated[CASE_INPUT_MAX];
	size_t tag_size;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t case_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A length from least to most; the minimum and short lengths are frequent. */
static inline size_t case_length(uint64_t *state, size_t least, size_t most)
{
	const uint64_t choice = case_random(state) % 8;
	const size_t any = (size_t)(case_random(state) % (most - least + 1));

	if (choice == 0)
		return least;
	return least + (choice < 6 ? any % (most - least < 140 ? most - least + 1 : 140) : any);
}

static inline struct keys_bytes case_bytes(uint64_t *state, uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)case_random(state);
	return (struct keys_bytes){ size ? bytes : NULL, size };
}

/*
 * The memory is 8 * lanes KiB to memory_max. Each doubling is about half as frequent as the
 * previous one, because edge cases need little memory. One case in 50 favors large memory.
 */
static inline void case_make(struct argon2_case *c, uint64_t number, uint32_t memory_max)
{
	uint64_t state = number << 20;
	const uint64_t doublings = number % 50 ? 4 : 7; /* of 8 */
	uint32_t memory, most;

	memset(c, 0, sizeof(*c));
	c->kdf.type = case_random(&state) % 2 ? MORTISE_KDF_ARGON2ID : MORTISE_KDF_ARGON2I;
	c->kdf.lanes = 1 + (uint32_t)(case_random(&state) % 8);
	memory = 8 * c->kdf.lanes;
	while (memory < memory_max / 2 && case_random(&state) % 8 < doublings)
		memory *= 2;
	most = memory * 2 < memory_max ? memory * 2 : memory_max;
	c->kdf.memory_kib = memory + (uint32_t)(case_random(&state) % (most - memory + 1));
	most = c->kdf.memory_kib < 2048 ? 8 : 2;
	c->kdf.time = 1 + (uint32_t)(case_random(&state) % most);
	c->input.version = case_random(&state) % 4 ? KEYS_ARGON2_VERSION : KEYS_ARGON2_VERSION_10;
	c->input.passphrase =
		case_bytes(&state, c->passphrase, case_length(&state, 0, CASE_INPUT_MAX));
	c->input.salt = case_bytes(&state, c->salt, case_length(&state, 8, CASE_INPUT_MAX));
	c->input.secret = case_bytes(&state, c->secret, case_length(&state, 0, 100));
	c->input.associated_data =
		case_bytes(&state, c->associated, case_length(&state, 0, CASE_INPUT_MAX));
	c->tag_size = case_length(&state, 4, CASE_TAG_MAX);
}

#endif
