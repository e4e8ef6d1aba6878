/* SPDX-License-Identifier: MIT */
/* Extending PCR 15 with the identity of STATE, once in a boot. */
#include "declared/measure.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "keys/hash.h"
#include "volume/identity.h"

/* Extended as SHA-256 of the text where no identity of STATE exists. */
#define MARKER_PLAIN	"mortise:no encrypted STATE"
#define MARKER_NOT_OPEN "mortise:STATE is not open"

static const struct config_volume *find_state(const struct volume_run *run)
{
	for (size_t i = 0; i < run->config->volume_count; i++)
		if (volume_is_state(&run->config->volumes[i]))
			return &run->config->volumes[i];
	return NULL;
}

static bool has_tpm_key(const struct config_volume *volume)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if (volume->keys[i].kind == CONFIG_KEY_TPM)
			return true;
	return false;
}

static bool is_zero(const uint8_t value[static KEYS_TPM_DIGEST_SIZE])
{
	static const uint8_t zeros[KEYS_TPM_DIGEST_SIZE];

	return !memcmp(value, zeros, sizeof(zeros));
}

/*
 * Extends the PCR unless this has been done in this boot. The PCR's value is compared as well as
 * the record: a run may have been killed between the two, and the record may have been lost.
 */
static enum mortise_code extend_once(const struct volume_run *run, struct volume_measured *measured,
				     const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				     struct mortise_error *err)
{
	/* The TPM may extend the PCR even after the wait for it has ended: it is not canceled. */
	const struct keys_tpm tpm = { .tcti = run->sources.tcti };
	uint8_t value[KEYS_TPM_DIGEST_SIZE], after[KEYS_TPM_DIGEST_SIZE] = { 0 };
	enum mortise_code code;
	bool exists;

	code = keys_tpm_pcr_value(&tpm, KEYS_TPM_IDENTITY_PCR, &exists, value, err);
	if (code || !exists)
		return code;
	code = keys_tpm_extended(after, digest, after, err);
	if (code)
		return code;
	if (!memcmp(value, after, sizeof(value)) || (measured->extended && !is_zero(value))) {
		measured->extended = true;
		return MORTISE_OK;
	}
	measured->foreign = !is_zero(value);
	measured->extended = true;
	code = volume_measured_store(measured, err);
	if (!code)
		code = keys_tpm_extend(&tpm, KEYS_TPM_IDENTITY_PCR, digest, err);
	if (code)
		measured->extended = false;
	return code;
}

/* Must STATE have a tpm key, whatever the configuration declares? */
static bool tpm_is_trusted(const struct volume_run *run)
{
	return run->trust->given & 1u << CONFIG_TRUST_STATE_KEYS &&
	       run->trust->state_keys & 1u << CONFIG_KEY_TPM;
}

/*
 * Without tpm2-tss, or if the TPM refuses, no key can be unsealed by mortise, and volumes open with
 * their other keys. A busy TPM is different: it may unseal a key a moment later. So may a program
 * in STATE that brings its own tpm2-tss.
 */
static enum mortise_code tolerate(struct volume_run *run, enum mortise_code code,
				  struct mortise_error *err)
{
	char text[MORTISE_ERROR_TEXT];
	bool wanted = false;

	if ((code != MORTISE_E_UNSUPPORTED || tpm_is_trusted(run)) && code != MORTISE_E_SOURCE) {
		if (code)
			error_prefix(err, "cannot extend PCR 15 with the identity of STATE");
		return code;
	}
	for (size_t i = 0; i < run->config->volume_count; i++)
		wanted |= has_tpm_key(&run->config->volumes[i]);
	snprintf(text, sizeof(text), "PCR 15 was not extended: %.400s", err->text);
	if (wanted)
		volume_run_notify(run, CONFIG_STATE, text);
	return MORTISE_OK;
}

bool volume_measure_needs_key(const struct volume_plan *plan)
{
	struct volume_measured measured;

	if (!volume_is_state(plan->volume))
		return false;
	volume_measured_read(&measured);
	return !measured.state_known;
}

/* Extends digest, and records it as STATE's with uuid unless uuid is NULL. */
static enum mortise_code measure(struct volume_run *run,
				 const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				 const char *uuid, struct mortise_error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct volume_measured measured;
	struct mortise_error why;
	enum mortise_code code = MORTISE_OK;

	pthread_mutex_lock(&lock);
	volume_measured_read(&measured);
	if (measured.extended &&
	    (!uuid ||
	     (measured.state_known && !memcmp(measured.state, digest, sizeof(measured.state)))))
		goto out;
	code = tolerate(run, extend_once(run, &measured, digest, &why), &why);
	if (code && err)
		*err = why;
	measured.state_known = uuid && !code;
	memcpy(measured.state, digest, sizeof(measured.state));
	snprintf(measured.state_uuid, sizeof(measured.state_uuid), "%s", uuid ? uuid : "");
	if (!code)
		code = volume_measured_store(&measured, err);
out:
	pthread_mutex_unlock(&lock);
	return code;
}

static enum mortise_code measure_marker(struct volume_run *run, const char *marker,
					const char *uuid, struct mortise_error *err)
{
	const struct keys_bytes text = { marker, strlen(marker) };
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code = keys_sha256(&text, 1, digest, err);

	return code ? code : measure(run, digest, uuid, err);
}

enum mortise_code volume_measure_state(struct volume_run *run, const struct volume_plan *state,
				       struct mortise_error *err)
{
	uint8_t identity[VOLUME_IDENTITY_SIZE];
	struct volume_measured measured;
	enum mortise_code code;

	if (!state->volume->encrypted)
		return measure_marker(run, MARKER_PLAIN, "", err);
	if (volume_plan_key(state)) {
		code = volume_identity(state->header, state->mapping, identity, err);
		return code ? code : measure(run, identity, luks2_header_uuid(state->header), err);
	}
	/* Another program, or an earlier run, has opened STATE. */
	volume_measured_read(&measured);
	if (measured.state_known && state->header &&
	    !strcmp(measured.state_uuid, luks2_header_uuid(state->header)))
		return MORTISE_OK;
	return measure_marker(run, MARKER_NOT_OPEN, NULL, err);
}

void volume_measure_plan_again(struct mortise_plan *plans, const struct volume_measured *before)
{
	struct volume_measured now;

	volume_measured_read(&now);
	if (!before->state_known || !memcmp(now.state, before->state, sizeof(now.state)))
		return;
	for (size_t i = 0; i < plans->count; i++)
		plans->volumes[i]->waits |= has_tpm_key(plans->volumes[i]->volume);
}

enum mortise_code volume_measure_no_state(struct volume_run *run, struct mortise_error *err)
{
	const struct config_volume *state = find_state(run);

	if (state && state->encrypted)
		return MORTISE_OK;
	return measure_marker(run, MARKER_PLAIN, "", err);
}

enum mortise_code volume_measure_before(struct volume_run *run, struct mortise_error *err)
{
	const struct config_volume *state = find_state(run);
	struct volume_measured measured;

	volume_measured_read(&measured);
	if (measured.state_known || !state || !state->encrypted || !has_tpm_key(state))
		return MORTISE_OK;
	return measure_marker(run, MARKER_NOT_OPEN, NULL, err);
}

enum mortise_code volume_measure_check(const struct volume_run *run,
				       const struct config_volume *volume, uint32_t pcrs,
				       struct mortise_error *err)
{
	const struct config_volume *state = find_state(run);
	struct volume_measured measured;

	if (volume_is_state(volume) || !(pcrs & VOLUME_PCR_15))
		return MORTISE_OK;
	volume_measured_read(&measured);
	if (measured.state_known)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_WAIT, 0, "bound to PCR 15, %s",
			 state && state->encrypted ? "and STATE is not open yet"
						   : "which `mortise up` has not extended yet");
}

enum mortise_code volume_measure_predict(const struct config_volume *volume,
					 uint8_t value[static KEYS_TPM_DIGEST_SIZE],
					 struct mortise_error *err)
{
	struct volume_measured measured;

	volume_measured_read(&measured);
	return volume_measured_predict(&measured, volume_is_state(volume), value, err);
}

bool volume_measure_differs(const struct volume_plan *plan, const struct keys_tpm_object *object)
{
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	struct mortise_error ignored;

	return object->pcrs & object->values_known & VOLUME_PCR_15 &&
	       !volume_measure_predict(plan->volume, value, &ignored) &&
	       memcmp(value, object->pcr_values[KEYS_TPM_IDENTITY_PCR], sizeof(value));
}

bool volume_measure_spent(const struct volume_plan *plan, const struct config_key *key)
{
	struct json_object *token =
		luks2_token_get(luks2_header_metadata(plan->header), (int)key->slot);
	struct volume_measured measured;
	struct volume_opening opening;
	struct keys_tpm_object object;
	bool opened;

	if (!volume_is_state(plan->volume) || key->kind != CONFIG_KEY_TPM ||
	    volume_token_tpm_read(token, &object, NULL) || object.pcrs != volume_key_pcrs(key) ||
	    !(object.pcrs & VOLUME_PCR_15))
		return false;
	volume_opening_read(plan->volume, &opening);
	opened = opening.keyslot == (int)key->slot;
	volume_opening_clear(&opening);
	volume_measured_read(&measured);
	return opened && plan->active && measured.extended && measured.state_known &&
	       !strcmp(measured.state_uuid, luks2_header_uuid(plan->header));
}
