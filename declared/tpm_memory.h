/* SPDX-License-Identifier: MIT */
/*
 * What this machine's TPM remembers (keys/sources/tpm/memory.h). A header whose epoch is lower than
 * the one that the TPM remembers is an old one that was put back. The header records, under its
 * seal, the policy of the memory that remembers it, so that a removed or forged memory is noticed.
 * Without a trust file, mortise_apply also stores there what STATE must be.
 *
 * Only machines that declare STATE use the TPM's memory: mortise_apply, which replaces the memory
 * of another TPM, needs STATE.
 */
#ifndef DECLARED_TPM_MEMORY_H
#define DECLARED_TPM_MEMORY_H

#include <pthread.h>

#include "keys/sources/tpm/memory.h"

struct mortise_seal_info;
struct volume_plan;
struct volume_result;
struct volume_run;

/* The memory in one run. The lock protects all members. */
struct volume_memory {
	pthread_mutex_t lock;
	bool loaded;
	struct mortise_error why;	/* why there is no memory; code MORTISE_OK: there is */
	struct keys_tpm_signed_policy *policy; /* of the boot image, or NULL */
	enum keys_tpm_memory_state state;
	struct keys_tpm_memory memory;
	bool trusted;			/* a boot image of this machine has written it */
	bool fixed;			/* not written in this boot: its PCR was extended */
	bool changed;			/* to be written at the end of the run */
};

void volume_memory_init(struct volume_memory *memory);
void volume_memory_clear(struct volume_memory *memory);

/* Adds the facts in the memory to run->trust, unless there is a trust file or an operator. */
void volume_memory_add_facts(struct volume_run *run);

/* Sets the facts to what the configuration says of STATE. staged: before the next boot, too. */
void volume_memory_set_facts(struct volume_run *run, bool staged);

/*
 * Compares a header that its seal proves with the memory. *fault: "" if the header may be used, or
 * why not.
 */
void volume_memory_check(struct volume_run *run, const struct volume_plan *plan,
			 const struct mortise_seal_info *seal, char *fault, size_t room);

/* The epoch that a new or accepted header of this volume must exceed. */
uint64_t volume_memory_floor(struct volume_run *run, const struct volume_plan *plan);

/*
 * After a volume is ready: lets the memory remember it, records this in its header, and notes its
 * epoch. Failures become notices in result.
 */
void volume_memory_note(struct volume_run *run, struct volume_plan *plan,
			struct volume_result *result);

/* Writes the memory if it has changed. Before a PCR is extended. A failure becomes a notice. */
void volume_memory_store(struct volume_run *run);

#endif
