/* SPDX-License-Identifier: MIT */
/* Enrollment: adds a keyslot and its token in one update of the header. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "keys/sources/sources.h"
#include "luks2/format.h"
#include "luks2/keyslot.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "volume/measured.h"
#include "volume/record.h"
#include "volume/sealed.h"

/* The id of the recovery token that marks this keyslot alone, or MORTISE_ANY. */
static int find_recovery_token(const struct mortise_luks2 *header, int keyslot)
{
	struct mortise_token_info token = { .struct_size = sizeof(token) };

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++)
		if (!mortise_token_info(header, id, &token, NULL) &&
		    !strcmp(token.type, VOLUME_TOKEN_RECOVERY) &&
		    token.keyslots == UINT32_C(1) << keyslot)
			return id;
	return MORTISE_ANY;
}

/* The token of a sealed key is useless once its keyslot is gone, and is replaced. */
static bool is_token_free(struct json_object *metadata, int id)
{
	struct json_object *token = luks2_token_get(metadata, id);

	return !token || (volume_token_is_sealed(token) && !luks2_keyslot_in_use(metadata, id));
}

/* Chooses keyslot and token ids before a KMS or TPM is contacted. */
static enum mortise_code choose_ids(const struct mortise_luks2 *header,
				    const struct mortise_enrollment *what,
				    struct mortise_enrolled *enrolled, struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(header);
	bool sealed = what->kind != MORTISE_ENROLL_RECOVERY && !what->tpm_systemd;
	int id = what->keyslot;

	if (id == MORTISE_ANY)
		for (id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
			if (!luks2_keyslot_in_use(metadata, id) &&
			    (!sealed || is_token_free(metadata, id)))
				break;
	if (what->keyslot == MORTISE_ANY && id == (int)MORTISE_KEYSLOTS_MAX)
		return error_set(err, MORTISE_E_NO_SPACE, 0, "All key slots full.");
	if (id < 0 || id >= (int)MORTISE_KEYSLOTS_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Key slot %d is invalid, please select between 0 and %u.", id,
				 MORTISE_KEYSLOTS_MAX - 1);
	enrolled->keyslot = id;
	enrolled->token = what->replace ? find_recovery_token(header, id) : MORTISE_ANY;
	if (enrolled->token != MORTISE_ANY)
		return MORTISE_OK;
	if (luks2_keyslot_in_use(metadata, id))
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "Key slot %d is full, please select another one.", id);
	enrolled->token = id;
	if (sealed && !is_token_free(metadata, id))
		return error_set(
			err, MORTISE_E_EXISTS, 0,
			"Token %d is in use; the token of a KMS or TPM key has the number of its "
			"keyslot; select another keyslot",
			id);
	if (sealed)
		return MORTISE_OK;
	/* Not at an id that the token of a sealed key may need. */
	enrolled->token = volume_token_free_id(luks2_header_metadata(header));
	return enrolled->token >= 0 ? MORTISE_OK
				    : error_set(err, MORTISE_E_NO_SPACE, 0,
						"all %u tokens are in use", MORTISE_TOKENS_MAX);
}

/* A volume can be opened before `mortise up`: without a record, PCR 15 is not a default. */
static enum mortise_code make_tpm_key(const struct mortise_luks2 *header,
				      const struct mortise_enrollment *what,
				      const struct mortise_key_sources *sources, int keyslot,
				      struct volume_key *key, struct mortise_error *err)
{
	struct tpm_seal_options wish = {
		.keyslot = keyslot,
		.pcrs = what->tpm_pcrs,
		.check_secureboot = what->tpm_check_secureboot,
		.systemd = what->tpm_systemd,
		.pin = what->tpm_pin,
	};
	const bool is_default = what->tpm_pcrs == MORTISE_PCRS_DEFAULT;
	bool of_state;
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	struct volume_measured measured;
	enum mortise_code code = MORTISE_OK;

	volume_measured_read(&measured);
	/* systemd does not predict PCR 15. */
	if (what->tpm_systemd && is_default)
		measured.state_known = false;
	of_state = !strcmp(measured.state_uuid, luks2_header_uuid(header));
	if (measured.state_known) {
		code = volume_measured_predict(&measured, of_state, value, err);
		wish.pcr_15 = value;
	}
	if (is_default)
		wish.pcrs = UINT32_C(1) << 7 | (measured.state_known ? VOLUME_PCR_15 : 0);
	if (!code)
		code = volume_tpm_new(sources, &wish, key, err);
	if (!code && is_default && measured.state_known)
		snprintf(key->notice, sizeof(key->notice),
			 "keyslot %d (tpm) is bound to PCR 7 and PCR 15: it can be unsealed only "
			 "%s `mortise up` has opened STATE; --tpm-pcrs selects other PCRs",
			 keyslot, of_state ? "before" : "after");
	return code;
}

static enum mortise_code make_key(const struct mortise_luks2 *header,
				  const struct mortise_enrollment *what,
				  const struct mortise_key_sources *sources, int keyslot,
				  struct volume_key *key, struct mortise_error *err)
{
	memset(key, 0, sizeof(*key));
	switch (what->kind) {
	case MORTISE_ENROLL_KMS:
		if (!sources->kms_endpoint)
			return error_set(err, MORTISE_E_USAGE, 0, "no KMS endpoint is given");
		return volume_kms_new(sources, sources->kms_endpoint, key, err);
	case MORTISE_ENROLL_TPM:
		return make_tpm_key(header, what, sources, keyslot, key, err);
	case MORTISE_ENROLL_RECOVERY:
		return volume_recovery_new(keyslot, key, err);
	}
	return error_set(err, MORTISE_E_USAGE, 0, "unknown kind of key");
}

static enum mortise_code store(struct mortise_luks2 *header, const struct mortise_enrolled *where,
			       struct volume_key *key, const struct mortise_secret *volume_key,
			       struct mortise_error *err)
{
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = where->keyslot };
	const struct luks2_keyslot_request request = {
		.what = &what,
		.kdf = &volume_least_cost,
		.passphrase = key->passphrase,
		.key = volume_key,
	};
	struct luks2_update *update;
	struct json_object *metadata;
	int id = where->keyslot;
	enum mortise_code code = luks2_update_begin(header, &update, err);

	if (code)
		return code;
	metadata = luks2_update_metadata(update);
	/* A recovery key that is replaced. */
	if (luks2_keyslot_in_use(metadata, id)) {
		code = luks2_keyslot_stage_removal(update, id, true, err);
		luks2_json_remove_id(luks2_tokens(metadata), where->token);
	}
	if (!code)
		code = luks2_keyslot_stage(update, &request, &id, err);
	if (!code && !volume_token_put(metadata, where->token, json_object_get(key->token)))
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "no token is free; to remove one, run `mortise token remove`");
	if (!code && key->pcr_values &&
	    !volume_record_set_pcr_values(metadata, id, json_object_get(key->pcr_values)))
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "no token is free; to remove one, run `mortise token remove`");
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	luks2_format_finish(update);
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_enroll(struct mortise_luks2 *header,
				 const struct mortise_enrollment *what,
				 const struct mortise_key_sources *sources,
				 const struct mortise_secret *volume_key,
				 struct mortise_enrolled *enrolled, struct mortise_error *err)
{
	struct mortise_key_sources from = { .struct_size = sizeof(from) };
	struct mortise_enrolled done = { .struct_size = sizeof(done) };
	struct mortise_enrollment wanted;
	struct volume_key key = { 0 };
	enum mortise_code code;

	code = sized_input(SIZED(mortise_enrollment), &wanted, what, err);
	if (!code && wanted.replace && wanted.kind != MORTISE_ENROLL_RECOVERY)
		code = error_set(err, MORTISE_E_USAGE, 0, "only a recovery key can be replaced");
	if (!code && (wanted.tpm_systemd || wanted.tpm_pin) &&
	    (wanted.kind != MORTISE_ENROLL_TPM || !wanted.tpm_systemd))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "only a TPM key can have a token of systemd, which a PIN needs");
	if (!code && sources)
		code = sized_input(SIZED(mortise_key_sources), &from, sources, err);
	if (!code)
		code = sized_output(SIZED(mortise_enrolled), enrolled, &done, err);
	if (!code)
		code = luks2_usable(luks2_header_metadata(header), err);
	volume_key = volume_key ? volume_key : luks2_header_volume_key(header);
	if (!code && !volume_key)
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "the volume key is required to add a keyslot");
	if (!code)
		code = mortise_volume_key_verify(header, volume_key, err);
	if (!code)
		code = choose_ids(header, &wanted, &done, err);
	if (!code)
		code = make_key(header, &wanted, &from, done.keyslot, &key, err);
	if (!code && wanted.kind == MORTISE_ENROLL_RECOVERY && wanted.hand_over &&
	    !wanted.hand_over(wanted.context, key.passphrase, done.keyslot))
		code = error_set(err, MORTISE_E_CANCELED, 0,
				 "cannot enroll a recovery key: it was not handed over");
	if (!code)
		code = store(header, &done, &key, volume_key, err);
	if (!code && wanted.kind == MORTISE_ENROLL_RECOVERY) {
		done.recovery_key = key.passphrase;
		key.passphrase = NULL;
	}
	if (!code)
		snprintf(done.notice, sizeof(done.notice), "%s", key.notice);
	if (!code)
		code = sized_output(SIZED(mortise_enrolled), enrolled, &done, err);
	volume_key_clear(&key);
	return code;
}
