/* SPDX-License-Identifier: MIT */
#include "declared/tpm_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/plan_reencrypt.h"
#include "luks2/seal.h"
#include "volume/extended_pcrs.h"
#include "volume/record.h"

#define SOURCE "the TPM's memory"

void volume_memory_init(struct volume_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	pthread_mutex_init(&memory->lock, NULL);
}

void volume_memory_clear(struct volume_memory *memory)
{
	free(memory->policy);
	pthread_mutex_destroy(&memory->lock);
}

static struct keys_tpm get_tpm(const struct volume_run *run, bool cancelable)
{
	return (struct keys_tpm){
		.tcti = run->sources.tcti,
		.policy = run->memory.policy,
		.events = cancelable ? &run->events : NULL,
	};
}

/* Reads the memory, once in a run. False: it is not available, and memory->why says why. */
static bool load(struct volume_run *run)
{
	struct volume_memory *memory = &run->memory;
	enum mortise_code code;
	struct keys_tpm tpm;

	if (memory->loaded)
		return !memory->why.code;
	memory->loaded = true;
	code = volume_signed_policy(run->sources.tpm_policy, &memory->policy, &memory->why);
	if (code)
		return false;
	tpm = get_tpm(run, true);
	code = keys_tpm_memory_read(&tpm, &memory->memory, &memory->state, &memory->why);
	if (!code && memory->state == KEYS_TPM_MEMORY_NO_TPM)
		code = error_set(&memory->why, MORTISE_E_SOURCE, 0, "this machine has no TPM 2.0");
	memory->trusted = memory->state == KEYS_TPM_MEMORY_VALID;
	memory->fixed =
		volume_extended_pcrs() & UINT32_C(1) << (memory->policy ? KEYS_TPM_SIGNED_PCR : 7);
	return !code;
}

static bool is_used(const struct volume_run *run)
{
	return volume_find_state(run->config);
}

/* Does the record name the policy of the index? Only a boot that satisfies it has written it. */
static bool is_recorded(const struct volume_memory *memory,
			const uint8_t record[static KEYS_TPM_DIGEST_SIZE])
{
	static const uint8_t none[KEYS_TPM_DIGEST_SIZE];

	return memory->state == KEYS_TPM_MEMORY_FOREIGN &&
	       memcmp(record, none, sizeof(none)) != 0 &&
	       !memcmp(record, memory->memory.policy, KEYS_TPM_DIGEST_SIZE);
}

static bool get_epoch(const struct volume_memory *memory, const struct volume_plan *plan,
		      uint64_t *epoch)
{
	struct mortise_error ignored;

	return !keys_tpm_memory_epoch(&memory->memory, plan->volume->id, epoch, &ignored);
}

static void check_locked(struct volume_run *run, const struct volume_plan *plan,
			 const struct mortise_seal_info *seal, char *fault, size_t room)
{
	struct volume_memory *memory = &run->memory;
	uint8_t record[KEYS_TPM_DIGEST_SIZE];
	const bool recorded = volume_record_tpm(luks2_header_metadata(plan->header), record);
	uint64_t epoch = 0;

	if (!load(run)) {
		if (recorded)
			snprintf(fault, room,
				 "the TPM that remembers its epoch is not available "
				 "(%.200s)",
				 memory->why.text);
		return;
	}
	if (recorded && is_recorded(memory, record))
		memory->trusted = true;
	if (memory->trusted && !get_epoch(memory, plan, &epoch))
		snprintf(fault, room, "its epoch cannot be compared");
	else if (recorded && (!memory->trusted || !epoch))
		snprintf(fault, room,
			 "the TPM does not remember its epoch any more; the TPM was "
			 "cleared or replaced, or its memory was removed or forged");
	else if (seal->epoch < epoch)
		snprintf(fault, room,
			 "it is older (epoch %llu) than the one that this machine last "
			 "wrote (epoch %llu); an old header was put back",
			 (unsigned long long)seal->epoch, (unsigned long long)epoch);
}

void volume_memory_check(struct volume_run *run, const struct volume_plan *plan,
			 const struct mortise_seal_info *seal, char *fault, size_t room)
{
	*fault = '\0';
	if (!is_used(run))
		return;
	pthread_mutex_lock(&run->memory.lock);
	check_locked(run, plan, seal, fault, room);
	pthread_mutex_unlock(&run->memory.lock);
}

uint64_t volume_memory_floor(struct volume_run *run, const struct volume_plan *plan)
{
	uint64_t epoch = 0;

	if (!is_used(run))
		return 0;
	pthread_mutex_lock(&run->memory.lock);
	if (load(run) && !get_epoch(&run->memory, plan, &epoch))
		epoch = 0;
	pthread_mutex_unlock(&run->memory.lock);
	return epoch;
}

/* Writes the memory under the policy of this boot image, in place of whatever is there. */
static enum mortise_code write_memory(struct volume_run *run, struct mortise_error *err)
{
	struct volume_memory *memory = &run->memory;
	const struct keys_tpm tpm = get_tpm(run, false);
	enum mortise_code code = keys_tpm_memory_write(&tpm, &memory->memory, true, err);

	if (code)
		return code;
	memory->state = KEYS_TPM_MEMORY_VALID;
	memory->trusted = true;
	memory->changed = false;
	memcpy(memory->memory.policy, memory->memory.wanted, KEYS_TPM_DIGEST_SIZE);
	return MORTISE_OK;
}

/*
 * May this run write the memory? One that this machine has not written is replaced only by an
 * operator; it starts empty.
 */
static bool may_write(struct volume_run *run, struct mortise_error *err)
{
	struct volume_memory *memory = &run->memory;
	struct keys_tpm_memory empty = { .facts = false };

	if (memory->fixed) {
		error_set(err, MORTISE_E_STALE, 0, "a PCR was extended in this boot");
		return false;
	}
	if (memory->trusted)
		return true;
	if (memory->state == KEYS_TPM_MEMORY_FOREIGN && !run->options->adopt) {
		error_set(err, MORTISE_E_EXISTS, 0,
			  "NV index 0x%08x was not created by this boot image; run `mortise apply` "
			  "to replace it",
			  KEYS_TPM_MEMORY_INDEX);
		return false;
	}
	memcpy(empty.wanted, memory->memory.wanted, sizeof(empty.wanted));
	memory->memory = empty;
	memory->trusted = true;
	return true;
}

/* Records in the header which memory remembers it. */
static enum mortise_code record_memory(struct volume_run *run, struct volume_plan *plan,
				       struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	enum mortise_code code = volume_reload_header(plan, err);

	if (!code)
		code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	if (!volume_record_set_tpm(luks2_update_metadata(update), run->memory.memory.wanted))
		code = error_memory(err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

/*
 * The memory remembers a volume before its header says so, and an epoch after the header has it:
 * whatever a power cut leaves is accepted at the next boot.
 */
static enum mortise_code note_locked(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	struct volume_memory *memory = &run->memory;
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	const char *volume = plan->volume->id;
	uint8_t record[KEYS_TPM_DIGEST_SIZE];
	uint64_t epoch = 0;
	bool recorded;
	enum mortise_code code = mortise_seal_check(plan->header, &seal, err);

	if (code || seal.state != MORTISE_SEAL_VALID || strcmp(seal.volume, volume) != 0 ||
	    !load(run))
		return code;
	code = keys_tpm_memory_epoch(&memory->memory, volume, &epoch, err);
	if (code)
		return code;
	recorded = volume_record_tpm(luks2_header_metadata(plan->header), record) &&
		   !memcmp(record, memory->memory.wanted, sizeof(record)) &&
		   memory->state == KEYS_TPM_MEMORY_VALID;
	if (epoch == seal.epoch && (recorded || memory->fixed))
		return MORTISE_OK;
	if (!may_write(run, err))
		return err->code;
	if (memory->state != KEYS_TPM_MEMORY_VALID || !epoch) {
		code = keys_tpm_memory_set_epoch(&memory->memory, volume, seal.epoch, err);
		if (!code)
			code = write_memory(run, err);
	}
	if (!code && !recorded)
		code = record_memory(run, plan, err);
	if (!code)
		code = mortise_seal_check(plan->header, &seal, err);
	if (code || seal.epoch <= epoch)
		return code;
	memory->changed = true;
	return keys_tpm_memory_set_epoch(&memory->memory, volume, seal.epoch, err);
}

void volume_memory_note(struct volume_run *run, struct volume_plan *plan,
			struct volume_result *result)
{
	struct mortise_error why = { 0 };
	char notice[MORTISE_ERROR_TEXT];
	enum mortise_code code;

	if (!is_used(run) || run->open_only || !plan->volume->encrypted ||
	    result->phase != MORTISE_PHASE_READY || !volume_plan_key(plan) ||
	    /* Another process may be writing its header. */
	    (plan->active && volume_in_reencryption(plan)))
		return;
	pthread_mutex_lock(&run->memory.lock);
	code = note_locked(run, plan, &why);
	pthread_mutex_unlock(&run->memory.lock);
	if (!code)
		return;
	snprintf(notice, sizeof(notice), "the TPM does not remember the present header: %.400s",
		 why.text);
	volume_opening_add(&result->opening.notices, notice);
}

void volume_memory_add_facts(struct volume_run *run)
{
	struct volume_memory *memory = &run->memory;

	if (!is_used(run) || *run->trust->source || run->options->adopt)
		return;
	pthread_mutex_lock(&memory->lock);
	/* Those of another boot image count, too: they only forbid. */
	if (load(run) && memory->memory.facts) {
		snprintf(run->trust->source, sizeof(run->trust->source), "%s", SOURCE);
		run->trust->state_encrypted = memory->memory.state_encrypted;
		run->trust->state_keys = memory->memory.state_keys;
		run->trust->headers_sealed = memory->memory.headers_sealed;
	}
	pthread_mutex_unlock(&memory->lock);
}

static void set_facts_locked(struct volume_run *run, bool staged)
{
	const struct config_volume *state = volume_find_state(run->config);
	struct keys_tpm_memory *memory = &run->memory.memory;
	struct keys_tpm_memory wanted = *memory;
	struct mortise_error why;

	wanted.facts = !*run->trust->source;
	wanted.headers_sealed = wanted.facts;
	wanted.state_encrypted = wanted.facts && state->encrypted;
	wanted.state_keys = wanted.facts && staged && memory->facts ? memory->state_keys : 0;
	for (size_t i = 0; wanted.facts && i < state->key_count; i++)
		wanted.state_keys |= (uint16_t)(1u << state->keys[i].kind);
	if (wanted.facts == memory->facts && wanted.state_keys == memory->state_keys &&
	    wanted.state_encrypted == memory->state_encrypted)
		return;
	if (may_write(run, &why)) {
		memory->facts = wanted.facts;
		memory->headers_sealed = wanted.headers_sealed;
		memory->state_encrypted = wanted.state_encrypted;
		memory->state_keys = wanted.state_keys;
		run->memory.changed = true;
	} else {
		char notice[MORTISE_ERROR_TEXT];

		snprintf(notice, sizeof(notice),
			 "cannot store in the TPM what STATE must be: %.400s", why.text);
		volume_run_notify(run, CONFIG_STATE, notice);
	}
}

void volume_memory_set_facts(struct volume_run *run, bool staged)
{
	if (!is_used(run))
		return;
	pthread_mutex_lock(&run->memory.lock);
	if (load(run))
		set_facts_locked(run, staged);
	pthread_mutex_unlock(&run->memory.lock);
}

void volume_memory_store(struct volume_run *run)
{
	struct mortise_error why = { 0 };
	char notice[MORTISE_ERROR_TEXT];

	pthread_mutex_lock(&run->memory.lock);
	if (run->memory.changed && write_memory(run, &why)) {
		snprintf(notice, sizeof(notice),
			 "cannot write the TPM's memory: %.350s; the next `mortise up` tries again",
			 why.text);
		volume_run_notify(run, CONFIG_STATE, notice);
	}
	pthread_mutex_unlock(&run->memory.lock);
}
