/* SPDX-License-Identifier: MIT */
/* Planning the replacement of a volume key. */
#include "declared/plan_reencrypt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "disk/rate.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/reencrypt.h"
#include "volume/record.h"

#define ONLINE ", while it is in use"

bool volume_in_reencryption(const struct volume_plan *plan)
{
	return plan->header && luks2_online_reencrypt_count(luks2_header_metadata(plan->header));
}

/* Each byte is read once, and written once with its protection. */
const char *volume_estimate_time(const char *device, uint64_t bytes,
				 char text[static VOLUME_TIME_ROOM])
{
	const uint64_t rate = disk_read_rate(device);
	const uint64_t seconds = rate ? bytes / rate * 3 + 1 : 0;

	if (!rate)
		snprintf(text, VOLUME_TIME_ROOM, "unknown time");
	else if (seconds < 120)
		snprintf(text, VOLUME_TIME_ROOM, "about %" PRIu64 " s", seconds);
	else if (seconds < 120 * UINT64_C(60))
		snprintf(text, VOLUME_TIME_ROOM, "about %" PRIu64 " min", seconds / 60);
	else
		snprintf(text, VOLUME_TIME_ROOM, "about %" PRIu64 " h", seconds / 3600);
	return text;
}

/* The size of the present volume key in bytes; 0: keyslots differ. */
static uint64_t find_key_size(struct json_object *metadata)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	uint64_t size = 0, other;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (!luks2_keyslot_opens_data(metadata, id))
			continue;
		if (!luks2_json_integer(luks2_json_get_id(keyslots, id), "key_size", UINT32_MAX,
					&other) ||
		    (size && size != other))
			return 0;
		size = other;
	}
	return size;
}

bool volume_plan_may_convert(const struct volume_plan *plan)
{
	const struct config_volume *volume = plan->volume;
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct luks2_segment segment;
	struct mortise_error ignored;
	uint64_t key_size;
	uint32_t sector;

	/* META is not written together with the header of an open STATE. */
	if (!MORTISE_REENCRYPTION || !volume->in_place ||
	    (plan->active && (!volume->online || volume_is_state(volume))) ||
	    volume_in_reencryption(plan) || luks2_segment_get(metadata, &segment, &ignored) ||
	    volume_find_misplacement(plan, &segment) || segment.integrity.type)
		return false;
	key_size = find_key_size(metadata);
	sector = volume->block_size ? volume->block_size : segment.sector_size;
	if (!key_size || !config_cipher_is_known(segment.cipher, (uint32_t)key_size) ||
	    (sector > segment.sector_size && config_filesystem_is_persistent(volume->filesystem)))
		return false;
	return strcmp(segment.cipher, volume->cipher) != 0 || key_size != volume->key_size ||
	       sector != segment.sector_size;
}

enum mortise_code volume_plan_check_reencryption(struct volume_plan *plan,
						 struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct luks2_reencryption state;
	struct mortise_error why;
	const char *fault = NULL;

	if (luks2_reencryption_get(metadata, &state, &why))
		fault = why.text;
	else if (state.mode == MORTISE_DECRYPT)
		fault = "it decrypts the data";
	else if (*plan->header_file ? state.after.offset != 0
				    : state.after.offset < luks2_keyslots_end(metadata))
		fault = "its data overlaps the header";
	else if (state.before.iv_tweak || state.after.iv_tweak)
		fault = "its sector numbers do not start at 0";
	if (!fault)
		return MORTISE_OK;
	if (!MORTISE_REENCRYPTION)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1, "cannot open %s: %.300s",
				       plan->device, fault);
	return VOLUME_PLAN_ADD(
		plan, err, MORTISE_STEP_REFUSE, -1,
		"the unfinished reencryption of %s is not that of a declared volume: "
		"%.300s; to finish it, run `mortise reencrypt`",
		plan->device, fault);
}

bool volume_is_online(const struct volume_run *run, const struct volume_plan *plan)
{
	if (run->open_only)
		return volume_record_online(luks2_header_metadata(plan->header));
	return plan->volume->online && !(plan->converts && volume_is_state(plan->volume));
}

static enum mortise_code add_continue(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	const bool online = volume_is_online(run, plan);
	struct mortise_error why;
	struct volume_step *step;
	char time[VOLUME_TIME_ROOM];

	if (plan->active && !online)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, -1,
				       "its keyslots are not compared, because the open volume is "
				       "being re-encrypted");
	if (mortise_reencrypt_info(plan->header, &info, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	step = volume_plan_add(
		plan, MORTISE_STEP_REENCRYPT, -1,
		"continue to %s %s%s: %" PRIu64 " of %" PRIu64 " MiB are done, %s left",
		info.mode == MORTISE_ENCRYPT ? "encrypt in place" : "rotate volume key of",
		plan->device, online ? ONLINE : "", info.done >> 20, info.total >> 20,
		volume_estimate_time(plan->device, info.total - info.done, time));
	if (!step)
		return error_memory(err);
	step->online = online;
	return MORTISE_OK;
}

/* Is the data still to be encrypted, in part? */
static bool is_encryption(const struct volume_plan *plan)
{
	struct luks2_reencryption state;
	struct mortise_error ignored;

	return !luks2_reencryption_get(luks2_header_metadata(plan->header), &state, &ignored) &&
	       state.mode == MORTISE_ENCRYPT;
}

/*
 * A disk from the time of the encryption, put back, has plain data that anyone could change. Once the
 * volume was ready, or if the trust file says so of STATE, its encryption is not continued.
 */
static bool was_encrypted(struct volume_run *run, const struct volume_plan *plan)
{
	struct known_volume known;

	if (run->options->adopt)
		return false;
	if (volume_is_state(plan->volume))
		return run->trust->state_encrypted;
	return run->known.state == KNOWN_LISTED &&
	       known_find(&run->known.list, plan->volume->id, &known) &&
	       known.status == KNOWN_READY && known.encrypted;
}

/* Has another volume only tpm keys, for this STATE? They could not be unsealed with another one. */
static const struct config_volume *find_bound(const struct volume_run *run)
{
	for (size_t i = 0; i < run->config->volume_count; i++) {
		const struct config_volume *volume = &run->config->volumes[i];
		size_t bound = 0;

		for (size_t k = 0; k < volume->key_count; k++)
			bound += volume->keys[k].kind == CONFIG_KEY_TPM &&
				 volume_key_pcrs(&volume->keys[k]) &
					 UINT32_C(1) << KEYS_TPM_IDENTITY_PCR;
		if (!volume_is_state(volume) && bound && bound == volume->key_count)
			return volume;
	}
	return NULL;
}

/* Why the volume key cannot be replaced, whatever its keys are. False: nothing. */
static bool find_hindrance(const struct volume_run *run, const struct volume_plan *plan, char *why,
			   size_t room)
{
	const uint32_t recovery = volume_token_recovery_keyslots(plan->header);
	const struct config_volume *bound = NULL;
	int id = 0;

	if (volume_is_state(plan->volume))
		bound = find_bound(run);
	while (recovery && !(recovery & UINT32_C(1) << id))
		id++;
	if (recovery)
		snprintf(why, room,
			 "keyslot %d holds a recovery key, which cannot be made for another volume "
			 "key without its user; remove it with `mortise luksKillSlot %.100s %d`, "
			 "and "
			 "enroll another one afterwards",
			 id, plan->device, id);
	else if (bound)
		snprintf(why, room,
			 "all keys of %.100s are tpm keys, which this STATE alone opens; declare a "
			 "key "
			 "of another kind for it, too",
			 bound->name);
	return recovery || bound;
}

/* Opens each declared keyslot, which is made again under the passphrase. False: *why says why not. */
static bool has_all_keys(struct volume_run *run, struct volume_plan *plan, char *why, size_t room)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	size_t opened = 0;

	for (size_t i = 0; i < plan->volume->key_count; i++) {
		const struct config_key *key = &plan->volume->keys[i];
		const struct key_attempt *attempt = &plan->attempts[i];
		const char *fault = attempt->why.text;

		if (!luks2_keyslot_in_use(metadata, (int)key->slot))
			continue;
		if (!volume_try_key(run, plan, i)) {
			if (!attempt->opened_by_first_line && !attempt->by_meta_uuid && ++opened)
				continue;
			fault = "it is to be replaced";
		}
		snprintf(why, room, "keyslot %u (%s): %.300s", key->slot,
			 config_key_kind_name(key->kind), fault);
		return false;
	}
	snprintf(why, room, "no declared key is in the header");
	return opened;
}

static enum mortise_code postpone(struct volume_plan *plan, const char *why,
				  struct mortise_error *err)
{
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, -1, "the %s: %s",
			       plan->converts ? "volume is not re-encrypted as declared"
					      : "volume key is not replaced",
			       why);
}

static enum mortise_code add_rotation(struct volume_plan *plan, bool online,
				      struct mortise_error *err)
{
	const bool later = plan->active && !online;
	struct luks2_segment segment;
	struct luks2_device *device;
	struct mortise_error why;
	struct volume_step *step;
	char time[VOLUME_TIME_ROOM], how[MORTISE_CIPHER_MAX + 64] = "";
	uint64_t size = 0;

	if (plan->converts)
		snprintf(how, sizeof(how), " as declared, %s, %u-bit key", plan->volume->cipher,
			 plan->volume->key_size * 8);
	if (!luks2_segment_get(luks2_header_metadata(plan->header), &segment, &why) &&
	    !luks2_device_open(plan->device, false, &device, &why)) {
		size = segment.size		       ? segment.size
		       : device->size > segment.offset ? device->size - segment.offset
						       : 0;
		luks2_device_close(device);
	}
	step = volume_plan_add(plan, MORTISE_STEP_REENCRYPT, -1, "%s %s%s%s: %" PRIu64 " MiB, %s",
			       plan->converts ? "re-encrypt" : "rotate volume key of", plan->device,
			       later	? ", which is open, at the next boot"
			       : online ? ONLINE
					: "",
			       how, size >> 20, volume_estimate_time(plan->device, size, time));
	if (!step)
		return error_memory(err);
	step->later = later;
	step->online = online;
	return MORTISE_OK;
}

const char *volume_rotation_serial(const struct volume_run *run, const struct volume_plan *plan,
				   struct json_object *metadata)
{
	return run->open_only ? volume_record_rotation_ordered(metadata) : plan->volume->rotate_key;
}

bool volume_rotation_is_wanted(const struct volume_run *run, const struct volume_plan *plan)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	const char *done = volume_record_rotation(metadata);
	const char *ordered = volume_record_rotation_ordered(metadata);
	const char *wanted = volume_rotation_serial(run, plan, metadata);

	return wanted && (!done || strcmp(wanted, done) != 0) &&
	       (!plan->active || !ordered || strcmp(wanted, ordered) != 0);
}

static enum mortise_code plan_begun(struct volume_run *run, struct volume_plan *plan,
				    struct mortise_error *err)
{
	/* The list of known volumes decides, once STATE is mounted. */
	plan->encrypts = is_encryption(plan);
	if (plan->encrypts && plan->unlisted)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
				       "the encryption of %s is not continued, because "
				       "STATE, which lists the volumes of this machine, is "
				       "not mounted",
				       plan->device);
	if (plan->encrypts && was_encrypted(run, plan))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "cannot trust %s: its encryption is unfinished, but "
				       "it was finished before; an old disk was put back; "
				       "to accept it, run `mortise apply`",
				       plan->device);
	return add_continue(run, plan, err);
}

enum mortise_code volume_plan_reencrypt(struct volume_run *run, struct volume_plan *plan,
					bool *begins, struct mortise_error *err)
{
	char why[400];
	bool all, online;
	enum mortise_code code;

	*begins = false;
	/* Only under a valid seal is it certain that the header was the volume's before. */
	if (plan->converts && (plan->adopted || plan->unsealed_state))
		return volume_plan_check_cipher(plan, err);
	if (!volume_plan_key(plan) || plan->adopted || plan->unsealed_state)
		return MORTISE_OK;
	if (volume_in_reencryption(plan)) {
		*begins = true;
		return plan_begun(run, plan, err);
	}
	/* Without the list of known volumes, no keyslot is changed. */
	if ((!plan->converts && !volume_rotation_is_wanted(run, plan)) || plan->unlisted ||
	    (plan->active && run->open_only))
		return MORTISE_OK;
	if (!MORTISE_REENCRYPTION)
		return run->open_only ? MORTISE_OK
				      : postpone(plan,
						 "this build does not support reencryption; use "
						 "one with MORTISE_REENCRYPT",
						 err);
	if (find_hindrance(run, plan, why, sizeof(why)))
		return run->open_only ? MORTISE_OK : postpone(plan, why, err);
	online = volume_is_online(run, plan);
	all = (!plan->active || online) && has_all_keys(run, plan, why, sizeof(why));
	if (!plan->active && !all)
		return run->open_only ? MORTISE_OK : postpone(plan, why, err);
	/* An open volume without all its keys is left to the next boot, as is its cipher. */
	online = online && all;
	if (plan->converts && plan->active && !online)
		return volume_plan_check_cipher(plan, err);
	code = add_rotation(plan, online, err);
	*begins = !code && (!plan->active || online);
	return code;
}
