/* SPDX-License-Identifier: MIT */
/* The contents of the NV index: a header of 16 bytes, then 16 bytes for each volume. */
#include "keys/sources/tpm/memory.h"

#include <string.h>

#include "base/error.h"
#include "keys/hash.h"

#define MAGIC		"mortise\1" /* the last byte is the version */
#define MAGIC_SIZE	8u
#define AT_FLAGS	8u
#define AT_STATE_KEYS	10u
#define AT_VOLUME_COUNT 12u
#define AT_RESERVED	14u
#define HEADER_SIZE	16u
#define VOLUME_SIZE	16u

#define FLAG_FACTS	0x0001u
#define FLAG_ENCRYPTED	0x0002u
#define FLAG_SEALED	0x0004u
#define FLAGS		(FLAG_FACTS | FLAG_ENCRYPTED | FLAG_SEALED)

_Static_assert(HEADER_SIZE + KEYS_TPM_MEMORY_VOLUMES * VOLUME_SIZE == KEYS_TPM_MEMORY_SIZE,
	       "the volumes fill the index");

static void store(uint8_t *at, size_t size, uint64_t value)
{
	while (size--) {
		at[size] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t load(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

void keys_tpm_memory_encode(const struct keys_tpm_memory *memory,
			    uint8_t bytes[static KEYS_TPM_MEMORY_SIZE])
{
	uint8_t *at = bytes + HEADER_SIZE;

	memset(bytes, 0, KEYS_TPM_MEMORY_SIZE);
	memcpy(bytes, MAGIC, MAGIC_SIZE);
	store(bytes + AT_FLAGS, 2,
	      (memory->facts ? FLAG_FACTS : 0) | (memory->state_encrypted ? FLAG_ENCRYPTED : 0) |
		      (memory->headers_sealed ? FLAG_SEALED : 0));
	store(bytes + AT_STATE_KEYS, 2, memory->state_keys);
	store(bytes + AT_VOLUME_COUNT, 2, memory->volume_count);
	for (size_t i = 0; i < memory->volume_count; i++, at += VOLUME_SIZE) {
		memcpy(at, memory->volumes[i].volume, KEYS_TPM_VOLUME_SIZE);
		store(at + KEYS_TPM_VOLUME_SIZE, 8, memory->volumes[i].epoch);
	}
}

/* Returns the position of a volume, or volume_count if it is unknown. */
static size_t find(const struct keys_tpm_memory *memory,
		   const uint8_t volume[static KEYS_TPM_VOLUME_SIZE])
{
	size_t i = 0;

	while (i < memory->volume_count &&
	       memcmp(memory->volumes[i].volume, volume, KEYS_TPM_VOLUME_SIZE))
		i++;
	return i;
}

bool keys_tpm_memory_parse(const uint8_t bytes[static KEYS_TPM_MEMORY_SIZE],
			   struct keys_tpm_memory *memory)
{
	struct keys_tpm_memory parsed = { 0 };
	size_t count;
	uint64_t flags;

	memcpy(parsed.policy, memory->policy, sizeof(parsed.policy));
	memcpy(parsed.wanted, memory->wanted, sizeof(parsed.wanted));
	*memory = parsed;
	if (memcmp(bytes, MAGIC, MAGIC_SIZE))
		return false;
	flags = load(bytes + AT_FLAGS, 2);
	count = (size_t)load(bytes + AT_VOLUME_COUNT, 2);
	if (flags & ~(uint64_t)FLAGS || load(bytes + AT_RESERVED, 2) ||
	    count > KEYS_TPM_MEMORY_VOLUMES)
		return false;
	parsed.facts = flags & FLAG_FACTS;
	parsed.state_encrypted = flags & FLAG_ENCRYPTED;
	parsed.headers_sealed = flags & FLAG_SEALED;
	parsed.state_keys = (uint16_t)load(bytes + AT_STATE_KEYS, 2);
	for (bytes += HEADER_SIZE; parsed.volume_count < count; bytes += VOLUME_SIZE) {
		struct keys_tpm_volume *volume = &parsed.volumes[parsed.volume_count];

		if (find(&parsed, bytes) < parsed.volume_count)
			return false;
		memcpy(volume->volume, bytes, KEYS_TPM_VOLUME_SIZE);
		volume->epoch = load(bytes + KEYS_TPM_VOLUME_SIZE, 8);
		parsed.volume_count++;
	}
	*memory = parsed;
	return true;
}

static enum mortise_code hash_volume(const char *volume, uint8_t hash[static KEYS_TPM_VOLUME_SIZE],
				     struct mortise_error *err)
{
	const struct keys_bytes part = { volume, strlen(volume) };
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code = keys_sha256(&part, 1, digest, err);

	if (!code)
		memcpy(hash, digest, KEYS_TPM_VOLUME_SIZE);
	return code;
}

enum mortise_code keys_tpm_memory_epoch(const struct keys_tpm_memory *memory, const char *volume,
					uint64_t *epoch, struct mortise_error *err)
{
	uint8_t hash[KEYS_TPM_VOLUME_SIZE];
	enum mortise_code code = hash_volume(volume, hash, err);
	size_t at;

	*epoch = 0;
	if (code)
		return code;
	at = find(memory, hash);
	if (at < memory->volume_count)
		*epoch = memory->volumes[at].epoch;
	return MORTISE_OK;
}

enum mortise_code keys_tpm_memory_set_epoch(struct keys_tpm_memory *memory, const char *volume,
					    uint64_t epoch, struct mortise_error *err)
{
	uint8_t hash[KEYS_TPM_VOLUME_SIZE];
	enum mortise_code code = hash_volume(volume, hash, err);
	size_t at;

	if (code)
		return code;
	at = find(memory, hash);
	if (at == KEYS_TPM_MEMORY_VOLUMES)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "the TPM remembers the epochs of at most %u volumes",
				 KEYS_TPM_MEMORY_VOLUMES);
	if (at == memory->volume_count)
		memcpy(memory->volumes[memory->volume_count++].volume, hash, KEYS_TPM_VOLUME_SIZE);
	memory->volumes[at].epoch = epoch;
	return MORTISE_OK;
}
