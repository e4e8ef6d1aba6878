/* SPDX-License-Identifier: MIT */
/* Planning to encrypt a plain file system in place: who may, and where the room comes from. */
#include "declared/plan_in_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/plan_grow.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "declared/state_header.h"
#include "disk/geometry.h"
#include "disk/mount.h"
#include "disk/shrink.h"
#include "volume/filesystem.h"

/* Bytes of a header: two copies of 64 KiB, and more than 32 keyslots of 252 KiB. */
#define HEADER_SMALL (UINT64_C(9) << 20)
#define HEADER	     (UINT64_C(16) << 20) /* the default of a format */
#define LARGE	     (UINT64_C(1) << 30)  /* bytes of a device for the default */

/* What keeps the volume from being encrypted. */
struct refusal {
	enum mortise_step_kind kind; /* WAIT or REFUSE */
	char text[400];
};

static bool is_own_filesystem(const struct volume_plan *plan, const char *uuid)
{
	char found[DISK_UUID_ROOM];

	disk_filesystem_uuid(plan->device, config_filesystem_name(plan->volume->filesystem), found);
	return *found && !strcmp(found, uuid);
}

/* STATE holds the list, so that only an operator can know that it is the machine's own. */
static bool may_encrypt_state(const struct volume_run *run, const struct volume_plan *plan,
			      struct refusal *refusal)
{
	if (run->trust->state_encrypted)
		snprintf(refusal->text, sizeof(refusal->text),
			 "cannot trust the file system on %.100s: %.200s requires that STATE is "
			 "encrypted already",
			 plan->device, run->trust->source);
	else if (!run->options->adopt)
		snprintf(
			refusal->text, sizeof(refusal->text),
			"%.100s holds a STATE without encryption: not encrypted, because it may be "
			"another machine's; to encrypt it, run `mortise apply` before it is "
			"mounted",
			plan->device);
	else
		return true;
	return false;
}

/* The list, which is in STATE, says which volumes are not encrypted yet. */
static bool is_listed(struct volume_run *run, const struct volume_plan *plan, bool holds,
		      struct refusal *refusal)
{
	struct known_volume known;
	const char *id = plan->volume->id, *fault = NULL;

	if (!known_find(&run->known.list, id, &known) || known.status == KNOWN_EXPECTED) {
		if (run->options->adopt && holds)
			return true;
		fault = "it is not known to this machine; to encrypt it, run `mortise apply`";
	} else if (known.encrypted) {
		/* Not even an operator: what was put there would become the volume. */
		fault = "the volume of this machine is encrypted; restore the device, or erase it";
	} else if (holds && !is_own_filesystem(plan, known.uuid) &&
		   (!run->options->adopt || known.status == KNOWN_ENCRYPTING)) {
		fault = "it is not the file system of this machine";
	} else if (holds || known.status == KNOWN_ENCRYPTING) {
		return true;
	}
	snprintf(refusal->text, sizeof(refusal->text), "%.100s holds %.60s, and %.100s is %s: %s",
		 plan->device, plan->probe.type, id, "declared with encryption",
		 fault ? fault : "not encrypted in place");
	return false;
}

static bool may_encrypt(struct volume_run *run, const struct volume_plan *plan, bool holds,
			struct refusal *refusal)
{
	*refusal = (struct refusal){ .kind = MORTISE_STEP_REFUSE };
	if (volume_is_state(plan->volume))
		return may_encrypt_state(run, plan, refusal);
	switch (run->known.state) {
	case KNOWN_UNUSED:
		if (run->options->adopt)
			return true;
		snprintf(refusal->text, sizeof(refusal->text),
			 "%.100s holds %.60s: not encrypted, because this machine has no STATE, "
			 "which would list it; to encrypt it, run `mortise up --adopt`",
			 plan->device, plan->probe.type);
		return false;
	case KNOWN_LATER:
	case KNOWN_MISSING:
		refusal->kind = MORTISE_STEP_WAIT;
		snprintf(refusal->text, sizeof(refusal->text),
			 "%.100s holds %.60s, and STATE, which lists the volumes of this machine, "
			 "is not mounted: not encrypted",
			 plan->device, plan->probe.type);
		return false;
	case KNOWN_DAMAGED:
		snprintf(refusal->text, sizeof(refusal->text), "%.300s: not encrypted",
			 run->known.why.text);
		return false;
	case KNOWN_LISTED:
		break;
	}
	return is_listed(run, plan, holds, refusal);
}

static enum mortise_code measure(const struct volume_plan *plan, uint64_t *device_size,
				 uint64_t *size, struct mortise_error *err)
{
	struct luks2_device *device;
	const char *name;
	enum mortise_code code = luks2_device_open(plan->device, false, &device, err);

	if (code)
		return code;
	*device_size = device->size;
	code = filesystem_size(device, size, &name, err);
	luks2_device_close(device);
	return code;
}

/* Adds the ENCRYPT step. source: where the room of the header comes from. */
static enum mortise_code add_encrypt(struct volume_plan *plan, uint64_t size, const char *source,
				     struct mortise_error *err)
{
	char time[VOLUME_TIME_ROOM];

	plan->encrypts = true;
	if (!plan->header_room)
		return VOLUME_PLAN_ADD(
			plan, err, MORTISE_STEP_ENCRYPT, -1,
			"encrypt in place the %s file system on %s, %s, %u-bit key: %" PRIu64
			" MiB, %s; the header goes to STATE, without which the data is lost: "
			"%.200s",
			config_filesystem_name(plan->volume->filesystem), plan->device,
			plan->volume->cipher, plan->volume->key_size * 8, size >> 20,
			volume_estimate_time(plan->device, size, time), source);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_ENCRYPT, -1,
			       "encrypt in place the %s file system on %s, %s, %u-bit key: %" PRIu64
			       " MiB, %s; %" PRIu64 " MiB for the header from %s",
			       config_filesystem_name(plan->volume->filesystem), plan->device,
			       plan->volume->cipher, plan->volume->key_size * 8, size >> 20,
			       volume_estimate_time(plan->device, size, time),
			       plan->header_room >> 19, source);
}

/*
 * Without room, the header goes to STATE. why: what the file system lacks. False: there is no STATE,
 * or it has no room either.
 */
static bool may_detach(const struct volume_run *run, const struct volume_plan *plan)
{
	struct mortise_error ignored;

	return !volume_is_state(plan->volume) && run->known.state == KNOWN_LISTED &&
	       !state_header_check_room(run->options->root, run->known.dir, STATE_HEADER_SIZE,
					&ignored);
}

/*
 * Twice the header is free behind the file system: as it is, by growth of the partition, or by
 * shrinking the file system.
 */
static enum mortise_code plan_room(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	uint64_t device_size = 0, size = 0, need;
	struct mortise_error why;
	enum mortise_code code;

	if (measure(plan, &device_size, &size, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	code = volume_plan_grow(run, plan, err);
	if (code)
		return code;
	plan->header_room = device_size + plan->growth < LARGE ? HEADER_SMALL : HEADER;
	need = size + 2 * plan->header_room;
	if (!plan->growth && need > device_size) {
		code = volume_plan_grow_by(run, plan, need - device_size, err);
		if (code)
			return code;
	}
	/* The size of the header depends on that of the device, as it will be. */
	if (device_size + plan->growth >= LARGE)
		plan->header_room = HEADER;
	need = size + 2 * plan->header_room;
	if (need <= device_size + plan->growth)
		return add_encrypt(plan, size,
				   plan->growth ? "the free space behind the partition"
						: "the unused space behind the file system",
				   err);
	if (device_size + plan->growth <= 2 * plan->header_room)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "cannot encrypt %s in place: it is too small", plan->device);
	if (disk_shrink_check(&run->events, type, plan->device,
			      device_size + plan->growth - 2 * plan->header_room, &why)) {
		if (may_detach(run, plan)) {
			plan->header_room = 0;
			return add_encrypt(plan, device_size, why.text, err);
		}
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "cannot encrypt %s in place: the header needs %" PRIu64
				       " MiB behind the %s file system, no free space is behind "
				       "its partition, and "
				       "it does not shrink: %.250s",
				       plan->device,
				       (need - device_size - plan->growth + 0xfffff) >> 20, type,
				       why.text);
	}
	return add_encrypt(plan, size, "the file system, which is shrunk", err);
}

/* A header that is being placed over the start of the file system is in parts. */
static bool is_half_placed(const struct volume_plan *plan)
{
	return plan->probe.content == DISK_OTHER && plan->probe.header == DISK_HEADER_DAMAGED;
}

static enum mortise_code plan_allowed(struct volume_run *run, struct volume_plan *plan, bool holds,
				      struct mortise_error *err)
{
	uint64_t size = 0, ignored = 0;
	struct mortise_error why;
	enum mortise_code code;

	if (disk_is_readonly(plan->device))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is not encrypted: it is write-protected", plan->device);
	if (holds) {
		code = plan_room(run, plan, err);
	} else if (measure(plan, &size, &ignored, &why)) {
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	} else {
		plan->header_room = size < LARGE ? HEADER_SMALL : HEADER;
		code = add_encrypt(plan, size - 2 * plan->header_room, "an interrupted run", err);
	}
	if (!code && !plan->failed)
		code = volume_plan_first_keys(run, plan, err);
	if (code || plan->failed)
		return code;
	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, -1, "open %s as %s", plan->device,
			       plan->mapping);
	return code ? code : volume_plan_filesystem(run, plan, plan->mapping, false, err);
}

enum mortise_code volume_plan_in_place(struct volume_run *run, struct volume_plan *plan,
				       struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	struct refusal refusal;
	struct mortise_error why;
	bool holds = false;

	if (!MORTISE_REENCRYPTION)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "%s holds %s: not encrypted in place, because this build "
				       "does not support reencryption; use one with "
				       "MORTISE_REENCRYPT",
				       plan->device, plan->probe.type);
	if (config_filesystem_is_persistent(plan->volume->filesystem) &&
	    disk_holds_filesystem(plan->device, type, &holds, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	if (!holds && !is_half_placed(plan))
		return volume_plan_refuse(run, plan, err,
					  "%s holds %s, not the declared %s file system: not "
					  "encrypted",
					  plan->device, plan->probe.type, type);
	if (!may_encrypt(run, plan, holds, &refusal))
		return VOLUME_PLAN_ADD(plan, err, refusal.kind, -1, "%s", refusal.text);
	if (disk_is_mounted(plan->device, run->options->root, plan->mount_point))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
				       "%s is mounted; the next boot encrypts it in place",
				       plan->device);
	return plan_allowed(run, plan, holds, err);
}
