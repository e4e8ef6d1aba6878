/* SPDX-License-Identifier: MIT */
/*
 * What a TPM 2.0 remembers between boots: facts about STATE, and for each volume the epoch of its
 * header. It is kept in one NV index that every program can read, and that only the boot image
 * which satisfies its policy can write. docs/formats.md describes the index.
 */
#ifndef KEYS_TPM_MEMORY_H
#define KEYS_TPM_MEMORY_H

#include "keys/sources/tpm/tpm.h"

/*
 * In the range that the TCG leaves to the owner (Registry of Reserved TPM 2.0 Handles and
 * Localities, section 2.2), outside systemd's part (0x01800400 to 0x018005ff) and away from its
 * beginning, which Intel TXT uses. The last two bytes are "mo".
 */
#define KEYS_TPM_MEMORY_INDEX	0x01a06d6fu

/*
 * Every TPM of a PC reads and writes 512 bytes at once (PC Client Platform TPM Profile): no power
 * cut leaves a half-written memory.
 */
#define KEYS_TPM_MEMORY_SIZE	512u
#define KEYS_TPM_MEMORY_VOLUMES 31u
#define KEYS_TPM_VOLUME_SIZE	8u /* bytes of SHA-256(volume id) */

struct keys_tpm_memory {
	/* Set by keys_tpm_memory_read(), not stored. */
	uint8_t policy[KEYS_TPM_DIGEST_SIZE]; /* that writes the index; zero if there is none */
	uint8_t wanted[KEYS_TPM_DIGEST_SIZE]; /* with which this boot image would create it */

	bool facts;	      /* the next three members are set */
	bool state_encrypted; /* STATE is LUKS2 */
	bool headers_sealed;  /* headers without a seal are refused */
	uint16_t state_keys;  /* kinds of key for STATE; bit n: kind n of enum config_key_kind */
	size_t volume_count;
	struct keys_tpm_volume {
		uint8_t volume[KEYS_TPM_VOLUME_SIZE];
		uint64_t epoch;
	} volumes[KEYS_TPM_MEMORY_VOLUMES];
};

enum keys_tpm_memory_state {
	KEYS_TPM_MEMORY_NO_TPM,
	KEYS_TPM_MEMORY_NO_INDEX,
	KEYS_TPM_MEMORY_UNWRITTEN, /* the index was created and never written */
	KEYS_TPM_MEMORY_FOREIGN,   /* this boot image would have created another index */
	KEYS_TPM_MEMORY_DAMAGED,   /* the contents do not parse */
	KEYS_TPM_MEMORY_VALID,
};

void keys_tpm_memory_encode(const struct keys_tpm_memory *memory,
			    uint8_t bytes[static KEYS_TPM_MEMORY_SIZE]);

/*
 * Parses the contents of the index, which may be hostile. Returns false if they are invalid. The
 * policies in memory stay.
 */
bool keys_tpm_memory_parse(const uint8_t bytes[static KEYS_TPM_MEMORY_SIZE],
			   struct keys_tpm_memory *memory);

/* *epoch: 0 if the volume is unknown. */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_memory_epoch(const struct keys_tpm_memory *memory,
							   const char *volume, uint64_t *epoch,
							   struct mortise_error *err);

/* MORTISE_E_NO_SPACE: the volume is new, and the memory is full. */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_memory_set_epoch(struct keys_tpm_memory *memory,
							       const char *volume, uint64_t epoch,
							       struct mortise_error *err);

/*
 * Reads the memory. The contents are those of the index if *state is KEYS_TPM_MEMORY_VALID, or
 * KEYS_TPM_MEMORY_FOREIGN and they parse: then, a boot image that satisfies memory->policy has
 * written them, unless the policy is zero. Otherwise they are zero. Errors are those of
 * keys_tpm_seal(): a PCR 7 into which nothing was measured is one of them, unless tpm->policy is set.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_memory_read(const struct keys_tpm *tpm,
							  struct keys_tpm_memory *memory,
							  enum keys_tpm_memory_state *state,
							  struct mortise_error *err);

/*
 * Writes the memory; creates the index if it does not exist or was never written. replace: also
 * replace an index of another policy, otherwise MORTISE_E_EXISTS. MORTISE_E_NO_SPACE: the TPM has
 * no room for the index.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_memory_write(const struct keys_tpm *tpm,
							   const struct keys_tpm_memory *memory,
							   bool replace, struct mortise_error *err);

/* Removes the index, even one that another program has created. No error if it does not exist. */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_memory_remove(const struct keys_tpm *tpm,
							    struct mortise_error *err);

#endif
