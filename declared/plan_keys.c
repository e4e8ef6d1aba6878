/* SPDX-License-Identifier: MIT */
/* Planning the changes that make the keyslots match the declared keys. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "declared/measure.h"
#include "declared/plan.h"
#include "declared/trust.h"

uint32_t volume_declared_slots(const struct config_volume *volume)
{
	uint32_t slots = 0;

	for (size_t i = 0; i < volume->key_count; i++)
		slots |= UINT32_C(1) << volume->keys[i].slot;
	return slots;
}

static enum mortise_code add_failed_key(struct volume_plan *plan, const struct config_key *key,
					const char *why, struct mortise_error *err)
{
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, (int)key->slot,
			       "keyslot %u (%s) unchanged: %.400s", key->slot,
			       config_key_kind_name(key->kind), why);
}

/*
 * The user has enrolled the recovery key, so a plan never removes it. But a token that was added to
 * a sealed header may be an attacker's, which would keep a leaked key.
 */
static bool is_recovery(const struct volume_plan *plan, int keyslot)
{
	return !plan->marks_unproven &&
	       volume_token_recovery_keyslots(plan->header) & UINT32_C(1) << keyslot;
}

/* Appends ": SENTENCE", or "; SENTENCE" if the text has a sentence already. */
static void append_sentence(struct volume_step *step, const char *sentence)
{
	size_t used = strlen(step->text);

	snprintf(step->text + used, sizeof(step->text) - used, "%s%.250s",
		 strchr(step->text, ':') ? "; " : ": ", sentence);
}

enum mortise_code volume_plan_new_key(struct volume_run *run, struct volume_plan *plan,
				      const struct config_key *key, const char *reason,
				      struct mortise_error *why, struct mortise_error *err)
{
	const bool sealed = key->kind == CONFIG_KEY_KMS || key->kind == CONFIG_KEY_TPM;
	const char *kind = config_key_kind_name(key->kind);
	struct volume_step *step;
	char by[300];

	memset(why, 0, sizeof(*why));
	if (volume_key_check(run, plan->volume, key, why)) {
		plan->lacks_salt |= why->code == MORTISE_E_WAIT;
		return MORTISE_OK;
	}
	step = volume_plan_add(plan, reason ? MORTISE_STEP_KEY_REPLACE : MORTISE_STEP_KEY_ADD,
			       (int)key->slot, "%s keyslot %u (%s)", reason ? "replace" : "add",
			       key->slot, kind);
	if (!step)
		return error_memory(err);
	step->key = key;
	if (reason && *reason) {
		append_sentence(step, reason);
		snprintf(step->notice, sizeof(step->notice),
			 "keyslot %u (%s) was enrolled again: %.300s", key->slot, kind, reason);
	}
	snprintf(by, sizeof(by), "its key will be sealed by %s%.220s",
		 key->kind == CONFIG_KEY_KMS ? "KMS " : "the TPM",
		 key->kind == CONFIG_KEY_KMS ? key->kms_endpoint : "");
	if (sealed)
		append_sentence(step, by);
	return MORTISE_OK;
}

static enum mortise_code plan_add(struct volume_run *run, struct volume_plan *plan,
				  const struct config_key *key, struct mortise_error *err)
{
	struct mortise_error why;
	enum mortise_code code = volume_plan_new_key(run, plan, key, NULL, &why, err);

	return code || !why.code ? code : add_failed_key(plan, key, why.text, err);
}

/* reason: "" when only the declaration has changed. */
static enum mortise_code plan_replace(struct volume_run *run, struct volume_plan *plan,
				      const struct config_key *key, const char *reason,
				      struct mortise_error *err)
{
	struct mortise_error why;
	enum mortise_code code;

	if (is_recovery(plan, (int)key->slot))
		return add_failed_key(plan, key,
				      "it holds a recovery key, which is never removed "
				      "automatically; declare another slot",
				      err);
	code = volume_plan_new_key(run, plan, key, reason, &why, err);
	return code || !why.code ? code : add_failed_key(plan, key, why.text, err);
}

/* The fingerprint of a keyslot as it is now. */
struct comparison {
	bool known;
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE];
};

static enum mortise_code plan_record(struct volume_plan *plan, const struct config_key *key,
				     const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
				     struct mortise_error *err)
{
	struct volume_step *step;
	size_t count = 1;

	for (size_t i = 0; i < plan->step_count; i++)
		count += plan->steps[i].kind == MORTISE_STEP_KEY_RECORD;
	if (!volume_record_has_room(luks2_header_metadata(plan->header), count)) {
		plan->unrecorded = true;
		return MORTISE_OK;
	}
	step = volume_plan_add(plan, MORTISE_STEP_KEY_RECORD, (int)key->slot,
			       "record that keyslot %u (%s) is up to date", key->slot,
			       config_key_kind_name(key->kind));
	if (!step)
		return error_memory(err);
	step->key = key;
	memcpy(step->fingerprint, fingerprint, VOLUME_FINGERPRINT_SIZE);
	return MORTISE_OK;
}

/* Why the unsealed key of a tpm keyslot is to be sealed again, or NULL. */
static const char *find_other_binding(const struct volume_plan *plan, const struct config_key *key)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct keys_tpm_object object;

	if (key->kind != CONFIG_KEY_TPM ||
	    volume_token_binding(metadata, (int)key->slot, &object, NULL))
		return NULL;
	if (object.pcrs != volume_key_pcrs(key))
		return "its key is sealed to PCRs other than those declared";
	volume_record_pcr_values(metadata, (int)key->slot, &object);
	return volume_measure_differs(plan, &object) ? "its key is sealed for another STATE" : NULL;
}

/* A KMS that has lost its key answers with random bytes, which hides the loss. */
static const char *describe_wrong_key(const struct config_key *key)
{
	return key->kind == CONFIG_KEY_KMS || key->kind == CONFIG_KEY_TPM
		       ? "the unsealed key does not open it"
		       : "";
}

/* Is a keyslot with this passphrase recorded as up to date? False, too, without a fingerprint. */
static bool is_recorded(const struct volume_run *run, const struct volume_plan *plan,
			const struct config_key *key, const struct mortise_secret *passphrase,
			struct comparison *found)
{
	const struct volume_fingerprint_keys keys = { plan->volume, passphrase,
						      volume_plan_key(plan) };
	struct json_object *metadata = luks2_header_metadata(plan->header);

	found->known = !volume_key_fingerprint(run, key, metadata, &keys, found->fingerprint, NULL);
	return found->known && volume_record_matches(metadata, (int)key->slot, found->fingerprint);
}

/* The same for the nodeID key that the UUID in META gives. */
static bool is_recorded_for_meta(struct volume_run *run, const struct volume_plan *plan,
				 const struct config_key *key)
{
	struct mortise_secret *passphrase = NULL;
	struct mortise_error ignored;
	struct comparison found;
	bool recorded;

	if (!run->meta_uuid || key->kind != CONFIG_KEY_NODE_ID ||
	    volume_key_get_by_meta(run, plan->volume, key, luks2_header_metadata(plan->header),
				   &passphrase, &ignored))
		return false;
	recorded = is_recorded(run, plan, key, passphrase, &found);
	mortise_secret_free(&passphrase);
	return recorded;
}

/*
 * Only an operator replaces the keyslot of a nodeID key: anyone who changes the machine's UUID
 * knows the new key.
 */
static enum mortise_code replace_unmatched(struct volume_run *run, struct volume_plan *plan,
					   size_t i, struct mortise_error *err)
{
	const struct config_key *key = &plan->volume->keys[i];
	char why[300];

	if (key->kind != CONFIG_KEY_NODE_ID || run->options->adopt)
		return plan_replace(run, plan, key, describe_wrong_key(key), err);
	snprintf(why, sizeof(why),
		 "the UUID of %s does not open it; if this machine's UUID has changed, run "
		 "`mortise apply`, give the former one with --node-uuid, or declare another slot",
		 run->sources.node_uuid ? "this machine"
		 : run->meta_uuid	? "the firmware, and the one in META,"
					: "the firmware");
	return add_failed_key(plan, key, why, err);
}

/* Compares an available key with its keyslot. */
static enum mortise_code compare_key(struct volume_run *run, struct volume_plan *plan, size_t i,
				     struct mortise_error *err)
{
	const struct config_key *key = &plan->volume->keys[i];
	const struct key_attempt *attempt = &plan->attempts[i];
	struct comparison found;
	enum mortise_code code = attempt->why.code;
	bool recorded = is_recorded(run, plan, key, attempt->passphrase, &found);

	if (!code && !run->options->check_keys &&
	    (recorded || is_recorded_for_meta(run, plan, key))) {
		plan->proven = true;
		return MORTISE_OK;
	}
	code = volume_try_key(run, plan, i);
	if (code == MORTISE_E_KEY)
		return replace_unmatched(run, plan, i, err);
	/* A keyslot that META's UUID opens is not replaced by one that only the firmware's opens. */
	if (!code && attempt->opened_by_first_line && !attempt->by_meta_uuid)
		return plan_replace(run, plan, key, describe_wrong_key(key), err);
	if (code)
		return add_failed_key(plan, key, attempt->why.text, err);
	plan->proven = true;
	if (attempt->by_meta_uuid)
		recorded = is_recorded(run, plan, key, attempt->passphrase, &found);
	return recorded || !found.known ? MORTISE_OK
					: plan_record(plan, key, found.fingerprint, err);
}

/* Does the record show, without a call to the KMS, that a kms keyslot is unchanged? */
static bool matches_record(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	const struct config_key *key = &plan->volume->keys[i];
	struct mortise_error ignored;
	struct comparison found;

	return key->kind == CONFIG_KEY_KMS && !plan->attempts[i].requested &&
	       !run->options->check_keys && is_recorded(run, plan, key, NULL, &found) &&
	       !volume_trust_check_kms(run->trust, key->kms_endpoint, run->open_only, &ignored);
}

/* Is it certain that the key can never be unsealed again? */
static bool is_lost(const struct volume_plan *plan, enum mortise_code code)
{
	return code == MORTISE_E_NO_TOKEN || code == MORTISE_E_STALE ||
	       (code == MORTISE_E_SOURCE && plan->recovered);
}

static enum mortise_code plan_declared(struct volume_run *run, struct volume_plan *plan, size_t i,
				       struct mortise_error *err)
{
	const struct config_key *key = &plan->volume->keys[i];
	const struct key_attempt *attempt = &plan->attempts[i];
	struct json_object *metadata = luks2_header_metadata(plan->header);
	enum mortise_code code;
	const char *binding;

	if (!luks2_keyslot_in_use(metadata, (int)key->slot))
		return plan_add(run, plan, key, err);
	if (matches_record(run, plan, i)) {
		plan->proven = true;
		return MORTISE_OK;
	}
	/* The volume is open, so a source that failed a moment ago is not worth another wait. */
	if (attempt->requested && !attempt->passphrase)
		code = attempt->why.code;
	else
		code = volume_request_key(run, plan, i);
	if (is_lost(plan, code))
		return plan_replace(run, plan, key, attempt->why.text, err);
	if (code && volume_measure_spent(plan, key))
		return MORTISE_OK;
	if (code)
		return add_failed_key(plan, key, attempt->why.text, err);
	binding = find_other_binding(plan, key);
	if (binding)
		return plan_replace(run, plan, key, binding, err);
	return compare_key(run, plan, i, err);
}

/* The header is NULL before a format. */
enum mortise_code volume_plan_recovery(struct volume_run *run, struct volume_plan *plan,
				       struct mortise_error *err)
{
	plan->lacks_recovery = 0;
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		const bool used = plan->header &&
				  luks2_keyslot_in_use(luks2_header_metadata(plan->header), id);
		struct volume_step *step;

		if (!(plan->volume->recovery_slots & UINT32_C(1) << id) ||
		    (used && is_recovery(plan, id)))
			continue;
		if (!run->options->new_recovery_keys || run->options->try_keys) {
			plan->lacks_recovery |= UINT32_C(1) << id;
			continue;
		}
		step = volume_plan_add(plan, used ? MORTISE_STEP_KEY_REPLACE : MORTISE_STEP_KEY_ADD,
				       id, "%s keyslot %d (recovery): its key is handed over once",
				       used ? "replace" : "add", id);
		if (!step)
			return error_memory(err);
		step->recovery = true;
	}
	return MORTISE_OK;
}

/* Is an undeclared keyslot replaced by a recovery key? */
static bool is_replaced(const struct volume_plan *plan, int keyslot)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].recovery && plan->steps[i].keyslot == keyslot)
			return true;
	return false;
}

static bool is_undeclared(const struct volume_plan *plan, int keyslot)
{
	return luks2_keyslot_opens_data(luks2_header_metadata(plan->header), keyslot) &&
	       !(volume_declared_slots(plan->volume) & UINT32_C(1) << keyslot) &&
	       !is_recovery(plan, keyslot) && !is_replaced(plan, keyslot);
}

enum mortise_code volume_plan_keys(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	enum mortise_code code = MORTISE_OK;

	plan->unrecorded = false;
	for (size_t i = 0; !code && i < volume->key_count; i++)
		code = plan_declared(run, plan, i, err);
	if (!code)
		code = volume_plan_recovery(run, plan, err);
	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (is_undeclared(plan, id))
			code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_REMOVE, id,
					       "remove keyslot %d, which is not declared", id);
	return code;
}

enum mortise_code volume_plan_kept_keys(struct volume_plan *plan, bool spent,
					struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (is_undeclared(plan, id))
			code = VOLUME_PLAN_ADD(
				plan, err, MORTISE_STEP_KEY_FAIL, id,
				"keyslot %d, which is not declared, is not removed now: %s", id,
				spent ? "the TPM does not unseal a key of STATE again in this "
					"boot; the next boot removes it"
				      : "no declared key is available; the first `mortise up` with "
					"one removes it");
	return code;
}
