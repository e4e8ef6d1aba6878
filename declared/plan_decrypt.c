/* SPDX-License-Identifier: MIT */
/* Planning to decrypt a volume in place: where its header is, and who may. */
#include "declared/plan_decrypt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/plan_reencrypt.h"
#include "declared/state_header.h"
#include "declared/state_store.h"
#include "disk/geometry.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/reencrypt.h"

static bool is_to_be_decrypted(const struct config_volume *volume)
{
	return !volume->encrypted && volume->in_place;
}

/* How a header file in STATE belongs to the volume. */
enum header_use {
	HEADER_COPY,	 /* a copy of the header on the device, or incomplete: nothing has begun */
	HEADER_DECRYPTS, /* the header of a decryption that has begun, or that is done */
	HEADER_OWN,	 /* the header of an encrypted volume that has none on its device */
};

static enum header_use examine(const struct volume_plan *plan, const char *file)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .header = file,
						   .readonly = true };
	struct mortise_luks2 *header = NULL;
	struct luks2_reencryption state;
	struct mortise_error ignored;
	struct luks2_segment segment;
	enum header_use use = HEADER_OWN;
	enum mortise_code code;

	/* A power cut may have left a copy incomplete. */
	if (mortise_luks2_load(&location, &header, &ignored))
		return plan->probe.content == DISK_LUKS2 ? HEADER_COPY : HEADER_OWN;
	code = luks2_reencryption_get(luks2_header_metadata(header), &state, &ignored);
	if (!code && state.mode == MORTISE_DECRYPT)
		use = HEADER_DECRYPTS;
	else if (code == MORTISE_E_USAGE &&
		 luks2_segment_get(luks2_header_metadata(header), &segment, &ignored))
		use = HEADER_DECRYPTS;
	else if (code == MORTISE_E_USAGE && segment.offset)
		use = HEADER_COPY;
	mortise_luks2_free(&header);
	return use;
}

static enum mortise_code use_header_file(struct volume_plan *plan, const char *file,
					 struct mortise_error *err)
{
	const enum header_use use = examine(plan, file);
	const bool luks2 = plan->probe.content == DISK_LUKS2;
	const bool decrypts = is_to_be_decrypted(plan->volume);

	if (luks2 && use == HEADER_COPY)
		return MORTISE_OK;
	if (use == HEADER_OWN && !plan->volume->encrypted && !decrypts)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is encrypted, and its header is %s: not used; to keep "
				       "it, declare its keys",
				       plan->volume->id, file);
	if (use != HEADER_OWN && !decrypts)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is being decrypted in place, and its header is %s: not "
				       "used; declare provider: none, inPlace: true and its keys "
				       "until that is done",
				       plan->volume->id, file);
	/* While a volume is decrypted, its device may have zeros at both ends, and look empty. */
	if (luks2 || (use == HEADER_OWN && volume_plan_is_unformatted(plan)))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "the header of %s is %s, but %s %s: not used",
				       plan->volume->id, file, plan->device,
				       luks2 ? "holds another LUKS2 header" : "is empty");
	snprintf(plan->header_file, sizeof(plan->header_file), "%s", file);
	plan->has_header = true;
	return MORTISE_OK;
}

/* STATE is mounted, and has no file. */
static enum mortise_code check_lost(struct volume_plan *plan, const struct known_volume *known,
				    const char *file, struct mortise_error *err)
{
	/* A cut before the file was complete leaves the file system. */
	if (!known->detached ||
	    (known->status == KNOWN_ENCRYPTING && plan->probe.content == DISK_FILESYSTEM))
		return MORTISE_OK;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
			       "%s cannot be opened without its header %s, which is missing; "
			       "restore it from a backup",
			       plan->volume->id, file);
}

/* STATE is not mounted. Can its header be there? */
static enum mortise_code wait_for_state(struct volume_plan *plan, struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;

	if (!volume->in_place ||
	    (volume->encrypted && (plan->has_header || volume_plan_is_unformatted(plan))))
		return MORTISE_OK;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
			       "%s is not used, because STATE, which may hold its header, is not "
			       "mounted",
			       plan->device);
}

enum mortise_code volume_plan_find_header(struct volume_run *run, struct volume_plan *plan,
					  struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct known_volume known = { .status = KNOWN_EXPECTED };
	char file[VOLUME_PATH_MAX];
	struct mortise_error why;
	bool found;

	plan->has_header = plan->probe.content == DISK_LUKS2 &&
			   (volume->encrypted || is_to_be_decrypted(volume));
	/* A staged reset removes the file. */
	if (volume_is_state(volume) || plan->reset == RESET_ERASE ||
	    run->known.state == KNOWN_UNUSED)
		return MORTISE_OK;
	if (run->known.state == KNOWN_LATER || run->known.state == KNOWN_MISSING)
		return wait_for_state(plan, err);
	if (state_header_find(run->options->root, run->known.dir, volume->id, file, &found, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	(void)known_find(&run->known.list, volume->id, &known);
	if (!found)
		return check_lost(plan, &known, file, err);
	/* A file that is left over is removed once the volume is ready. */
	if (known.status == KNOWN_READY && !known.encrypted)
		return MORTISE_OK;
	return use_header_file(plan, file, err);
}

bool volume_plan_is_decrypted(const struct volume_plan *plan)
{
	struct json_object *segments, *first;
	const char *type;

	if (!plan->header || !*plan->header_file || volume_in_reencryption(plan))
		return false;
	segments =
		luks2_json_get(luks2_header_metadata(plan->header), "segments", json_type_object);
	first = luks2_json_get_id(segments, 0);
	type = first ? luks2_json_text(first, "type") : NULL;
	return type && !strcmp(type, "linear");
}

/* Why a decryption does not begin, or NULL. The disk of a STATE without encryption can say anything. */
static const char *find_refusal(struct volume_run *run, const struct volume_plan *plan)
{
	struct known_volume known;

	if (run->known.state == KNOWN_UNUSED)
		return "this machine has no STATE, which would keep its header; to decrypt it, run "
		       "`mortise reencrypt --decrypt --header FILE`";
	if (run->known.state == KNOWN_DAMAGED)
		return "the list of known volumes is damaged";
	if (run->options->adopt)
		return NULL;
	if (!known_find(&run->known.list, plan->volume->id, &known) ||
	    known.status == KNOWN_EXPECTED)
		return "it is not known to this machine; to decrypt it, run `mortise apply`";
	if (run->machine->stored && !volume_state_is_encrypted(run->options, run->known.dir))
		return "the configuration is in a STATE without encryption, which anyone with the "
		       "disk can change; to decrypt it, close it and run `mortise apply`";
	return NULL;
}

enum mortise_code volume_plan_check_decryption(struct volume_run *run, struct volume_plan *plan,
					       struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct luks2_reencryption state;
	struct luks2_segment segment;
	const char *fault = NULL;
	struct mortise_error why;

	if (!MORTISE_REENCRYPTION)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "cannot decrypt %s in place: this build does not support "
				       "reencryption; use one with MORTISE_REENCRYPT",
				       plan->device);
	if (volume_plan_is_decrypted(plan))
		return MORTISE_OK;
	if (disk_is_readonly(plan->device))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is not decrypted: it is write-protected", plan->device);
	if (!volume_in_reencryption(plan)) {
		fault = find_refusal(run, plan);
		if (!fault && luks2_segment_get(metadata, &segment, &why))
			fault = why.text;
		else if (!fault && segment.integrity.type)
			fault = "data with integrity cannot be decrypted in place";
	} else if (luks2_reencryption_get(metadata, &state, &why)) {
		fault = why.text;
	} else if (state.mode != MORTISE_DECRYPT || !*plan->header_file) {
		fault = "another reencryption is unfinished; declare the volume as before until it "
			"is done";
	}
	if (!fault)
		return MORTISE_OK;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "%s, which is declared without encryption, is not decrypted: %.350s",
			       plan->device, fault);
}

static enum mortise_code add_begin(const struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct luks2_segment segment;
	struct luks2_device *device;
	char time[VOLUME_TIME_ROOM];
	struct mortise_error why;
	uint64_t size = 0;

	if (!*plan->header_file && state_header_check_room(run->options->root, run->known.dir,
							   luks2_keyslots_end(metadata), &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "cannot decrypt %s in place: %s", plan->device, why.text);
	if (!luks2_segment_get(metadata, &segment, &why) &&
	    !luks2_device_open(plan->device, false, &device, &why)) {
		size = device->size > segment.offset ? device->size - segment.offset : 0;
		luks2_device_close(device);
	}
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_DECRYPT, -1,
			       "decrypt in place %s: %" PRIu64 " MiB, %s; STATE keeps the header "
			       "meanwhile",
			       plan->device, size >> 20,
			       volume_estimate_time(plan->device, size, time));
}

enum mortise_code volume_plan_decrypt(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	char time[VOLUME_TIME_ROOM];
	struct mortise_error why;

	if (volume_plan_is_decrypted(plan))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_DECRYPT, -1,
				       "%s is decrypted; remove its header from STATE",
				       plan->device);
	if (plan->active)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
				       "%s is open; the next boot decrypts it in place",
				       plan->device);
	if (!volume_in_reencryption(plan))
		return add_begin(run, plan, err);
	if (mortise_reencrypt_info(plan->header, &info, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_DECRYPT, -1,
			       "continue to decrypt in place %s: %" PRIu64 " of %" PRIu64
			       " MiB are done, %s left",
			       plan->device, info.done >> 20, info.total >> 20,
			       volume_estimate_time(plan->device, info.total - info.done, time));
}
