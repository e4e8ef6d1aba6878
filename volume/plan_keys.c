/* SPDX-License-Identifier: MIT */
/* Planning the keyslots: what must change so that they are what is declared. */
#include <stdio.h>
#include <string.h>

#include "keys/error.h"
#include "luks2/model.h"
#include "volume/plan.h"
#include "volume/record.h"

static enum mortise_code add_key_step(struct volume_plan *plan, enum mortise_step_kind kind,
				      const struct meta_key *key,
				      struct mortise_secret **passphrase, struct mortise_error *err)
{
	static const char *const verb[] = {
		[MORTISE_STEP_KEY_ADD] = "add",
		[MORTISE_STEP_KEY_REPLACE] = "replace",
		[MORTISE_STEP_KEY_RECORD] = "note what is in",
	};
	struct volume_step *step =
		volume_plan_add(plan, kind, (int)key->slot, "%s keyslot %u (%s)", verb[kind],
				key->slot, meta_key_kind_name(key->kind));

	if (!step)
		return error_set(err, MORTISE_E_MEMORY, 0, "out of memory");
	step->key = key;
	step->passphrase = *passphrase;
	*passphrase = NULL;
	return MORTISE_OK;
}

static enum mortise_code key_failed(struct volume_plan *plan, const struct meta_key *key,
				    const struct mortise_error *why, struct mortise_error *err)
{
	if (!volume_plan_add(plan, MORTISE_STEP_KEY_FAIL, (int)key->slot,
			     "keyslot %u (%s) left as it is: %.400s", key->slot,
			     meta_key_kind_name(key->kind), why->text))
		return error_set(err, MORTISE_E_MEMORY, 0, "out of memory");
	return MORTISE_OK;
}

/* A keyslot that is there: is it still the declared one? */
static enum mortise_code compare_key(struct volume_run *run, struct volume_plan *plan,
				     const struct meta_key *key, struct mortise_secret **passphrase,
				     struct mortise_error *err)
{
	struct json_object *metadata = plan->luks2->metadata;
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE];
	struct mortise_secret *other_key = NULL;
	struct mortise_error why;
	enum mortise_code code;
	bool recorded, cut = false;

	code = volume_fingerprint(metadata, (int)key->slot, *passphrase, plan->volume_key,
				  fingerprint, &why);
	recorded = !code && volume_record_matches(metadata, (int)key->slot, fingerprint);
	if (recorded && !run->options->check_keys)
		return MORTISE_OK;
	if (plan->opened == (int)key->slot)
		cut = plan->opened_cut;
	else
		code = volume_try_keyslot(plan->luks2, (int)key->slot, *passphrase, &other_key,
					  &cut, &why);
	mortise_secret_free(other_key);
	if (code == MORTISE_E_KEY || cut)
		return add_key_step(plan, MORTISE_STEP_KEY_REPLACE, key, passphrase, err);
	if (code)
		return key_failed(plan, key, &why, err);
	if (recorded)
		return MORTISE_OK;
	code = add_key_step(plan, MORTISE_STEP_KEY_RECORD, key, passphrase, err);
	if (!code)
		memcpy(plan->steps[plan->step_count - 1].fingerprint, fingerprint,
		       sizeof(fingerprint));
	return code;
}

static enum mortise_code plan_declared(struct volume_run *run, struct volume_plan *plan,
				       const struct meta_key *key, struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(plan->luks2->metadata, "keyslots", json_type_object);
	struct mortise_secret *passphrase = NULL;
	struct mortise_error why;
	enum mortise_code code;

	if (volume_key_passphrase(run, plan->volume, key, &passphrase, &why))
		return key_failed(plan, key, &why, err);
	if (luks2_json_get_id(keyslots, (int)key->slot))
		code = compare_key(run, plan, key, &passphrase, err);
	else
		code = add_key_step(plan, MORTISE_STEP_KEY_ADD, key, &passphrase, err);
	mortise_secret_free(passphrase);
	return code;
}

static bool is_declared(const struct meta_volume *volume, int keyslot)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if ((int)volume->keys[i].slot == keyslot)
			return true;
	return false;
}

/* A recovery key was made on purpose by a person: it is not ours to remove. */
static bool is_recovery(const struct mortise_luks2 *luks2, int keyslot)
{
	struct mortise_token_info token;

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++)
		if (!mortise_token_info(luks2, id, &token, NULL) &&
		    !strcmp(token.type, "systemd-recovery") && (token.keyslots & 1u << keyslot))
			return true;
	return false;
}

enum mortise_code volume_plan_keys(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	const struct meta_volume *volume = plan->volume;
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < volume->key_count; i++)
		code = plan_declared(run, plan, &volume->keys[i], err);
	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (!luks2_keyslot_opens_data(plan->luks2->metadata, id) ||
		    is_declared(volume, id) || is_recovery(plan->luks2, id))
			continue;
		if (!volume_plan_add(plan, MORTISE_STEP_KEY_REMOVE, id,
				     "remove keyslot %d, which is not declared", id))
			code = error_set(err, MORTISE_E_MEMORY, 0, "out of memory");
	}
	return code;
}
