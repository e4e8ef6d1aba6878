/* SPDX-License-Identifier: MIT */
/* A build without keys of kind tpm (MORTISE_TPM): nothing is measured or remembered. */
#include "base/error.h"
#include "declared/measure.h"
#include "declared/tpm_memory.h"

enum mortise_code volume_measure_state(struct volume_run *run, const struct volume_plan *state,
				       struct mortise_error *err)
{
	(void)run;
	(void)state;
	(void)err;
	return MORTISE_OK;
}

bool volume_measure_needs_key(const struct volume_plan *plan)
{
	(void)plan;
	return false;
}

void volume_measure_plan_again(struct mortise_plan *plans, const struct volume_measured *before)
{
	(void)plans;
	(void)before;
}

enum mortise_code volume_measure_no_state(struct volume_run *run, struct mortise_error *err)
{
	(void)run;
	(void)err;
	return MORTISE_OK;
}

enum mortise_code volume_measure_before(struct volume_run *run, struct mortise_error *err)
{
	(void)run;
	(void)err;
	return MORTISE_OK;
}

enum mortise_code volume_measure_check(const struct volume_run *run,
				       const struct config_volume *volume, uint32_t pcrs,
				       struct mortise_error *err)
{
	(void)run;
	(void)volume;
	(void)pcrs;
	(void)err;
	return MORTISE_OK;
}

enum mortise_code volume_measure_predict(const struct config_volume *volume,
					 uint8_t value[static KEYS_TPM_DIGEST_SIZE],
					 struct mortise_error *err)
{
	(void)volume;
	(void)value;
	return error_set(err, MORTISE_E_UNSUPPORTED, 0, "this build does not support a TPM");
}

bool volume_measure_spent(const struct volume_plan *plan, const struct config_key *key)
{
	(void)plan;
	(void)key;
	return false;
}

bool volume_measure_differs(const struct volume_plan *plan, const struct keys_tpm_object *object)
{
	(void)plan;
	(void)object;
	return false;
}

void volume_memory_init(struct volume_memory *memory)
{
	(void)memory;
}

void volume_memory_clear(struct volume_memory *memory)
{
	(void)memory;
}

void volume_memory_add_facts(struct volume_run *run)
{
	(void)run;
}

void volume_memory_set_facts(struct volume_run *run, bool staged)
{
	(void)run;
	(void)staged;
}

void volume_memory_check(struct volume_run *run, const struct volume_plan *plan,
			 const struct mortise_seal_info *seal, char *fault, size_t room)
{
	(void)run;
	(void)plan;
	(void)seal;
	(void)room;
	*fault = '\0';
}

uint64_t volume_memory_floor(struct volume_run *run, const struct volume_plan *plan)
{
	(void)run;
	(void)plan;
	return 0;
}

void volume_memory_note(struct volume_run *run, struct volume_plan *plan,
			struct volume_result *result)
{
	(void)run;
	(void)plan;
	(void)result;
}

void volume_memory_store(struct volume_run *run)
{
	(void)run;
}
