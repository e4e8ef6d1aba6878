/* SPDX-License-Identifier: MIT */
/* The first and last steps of Argon2: from input to first blocks, from last blocks to tag. */
#include "keys/argon2/core.h"

#include <string.h>

#include "keys/argon2/blake2b.h"
#include "base/secret.h"

/* The type y in RFC 9106, section 3.2. */
static uint32_t type_number(enum mortise_kdf_type type)
{
	return type == MORTISE_KDF_ARGON2I ? 1 : 2;
}

void keys_argon2_plan(struct keys_argon2_job *job, const struct mortise_kdf *kdf,
		      const struct keys_argon2_input *input)
{
	memset(job, 0, sizeof(*job));
	job->kernel = input->kernel ? input->kernel : keys_argon2_select(NULL);
	job->type = kdf->type;
	job->version = input->version ? input->version : KEYS_ARGON2_VERSION;
	job->time = kdf->time;
	job->memory_kib = kdf->memory_kib;
	job->lanes = kdf->lanes;
	job->segment = kdf->memory_kib / (KEYS_ARGON2_SLICES * kdf->lanes);
}

static void hash_number(struct keys_blake2b *hash, uint32_t number)
{
	uint8_t bytes[4];

	keys_store_le32(bytes, number);
	keys_blake2b_update(hash, bytes, sizeof(bytes));
}

static void hash_field(struct keys_blake2b *hash, struct keys_bytes field)
{
	hash_number(hash, (uint32_t)field.size);
	keys_blake2b_update(hash, field.data, field.size);
}

void keys_argon2_start(const struct keys_argon2_job *job, const struct keys_argon2_input *input,
		       size_t tag_size)
{
	uint8_t seed[KEYS_BLAKE2B_SIZE_MAX + 8], bytes[KEYS_ARGON2_BLOCK_SIZE];
	struct keys_blake2b hash;

	keys_blake2b_init(&hash, KEYS_BLAKE2B_SIZE_MAX);
	hash_number(&hash, job->lanes);
	hash_number(&hash, (uint32_t)tag_size);
	hash_number(&hash, job->memory_kib);
	hash_number(&hash, job->time);
	hash_number(&hash, job->version);
	hash_number(&hash, type_number(job->type));
	hash_field(&hash, input->passphrase);
	hash_field(&hash, input->salt);
	hash_field(&hash, input->secret);
	hash_field(&hash, input->associated_data);
	keys_blake2b_final(&hash, seed);
	for (uint32_t lane = 0; lane < job->lanes; lane++)
		for (uint32_t index = 0; index < 2; index++) {
			uint64_t *block = keys_argon2_block(job, lane, index);

			keys_store_le32(seed + KEYS_BLAKE2B_SIZE_MAX, index);
			keys_store_le32(seed + KEYS_BLAKE2B_SIZE_MAX + 4, lane);
			keys_blake2b_long(bytes, sizeof(bytes), seed, sizeof(seed));
			for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++)
				block[keys_argon2_position(job->kernel, i)] =
					keys_load_le64(bytes + 8 * i);
		}
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(seed, sizeof(seed));
}

void keys_argon2_finish(const struct keys_argon2_job *job, uint8_t *tag, size_t tag_size)
{
	const uint32_t last = KEYS_ARGON2_SLICES * job->segment - 1;
	uint8_t bytes[KEYS_ARGON2_BLOCK_SIZE];

	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++) {
		const unsigned at = keys_argon2_position(job->kernel, i);
		uint64_t word = 0;

		for (uint32_t lane = 0; lane < job->lanes; lane++)
			word ^= keys_argon2_block(job, lane, last)[at];
		keys_store_le64(bytes + 8 * i, word);
	}
	keys_blake2b_long(tag, (uint32_t)tag_size, bytes, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
}
