/* SPDX-License-Identifier: MIT */
/* Comparing volumes with the list of known volumes, and recording them there. */
#include "declared/plan_known.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/partition.h"
#include "declared/plan_reencrypt.h"
#include "declared/reset/ordered.h"
#include "declared/state_header.h"
#include "declared/state_store.h"
#include "disk/filesystem.h"
#include "disk/partition.h"
#include "disk/uuids.h"

/* What the list has against the use of a volume. */
struct obstacle {
	enum mortise_step_kind kind;
	char what[512];
	char remedy[VOLUME_RESET_COMMAND + 64];
};

/*
 * The first run adopts what is declared, unless the trust file forbids it. A failure to add an entry
 * only requires an operator later.
 */
static void expect_volumes(struct volume_run *run)
{
	if (run->trust->headers_sealed && !run->options->adopt)
		return;
	for (size_t i = 0; i < run->config->volume_count; i++) {
		struct known_volume volume = { .status = KNOWN_EXPECTED };
		struct mortise_error ignored;

		snprintf(volume.id, sizeof(volume.id), "%s", run->config->volumes[i].id);
		if (known_set(&run->known.list, &volume, &ignored))
			return;
	}
}

void volume_known_begin(struct volume_run *run)
{
	struct volume_known *known = &run->known;
	struct mortise_error why;

	if (known->state == KNOWN_LISTED || known->state == KNOWN_DAMAGED)
		return;
	known->state = KNOWN_UNUSED;
	if (run->open_only || !volume_find_state(run->config))
		return;
	volume_state_dir(run->options, known->dir);
	if (!*known->dir && run->options->no_mount)
		return;
	if (!*known->dir) {
		known->state = run->state_may_come ? KNOWN_LATER : KNOWN_MISSING;
		return;
	}
	known->state = KNOWN_LISTED;
	if (known_load(&known->list, run->options->root, known->dir, &known->why)) {
		/* An operator replaces the whole list. */
		known->list.is_new = run->options->adopt;
		known->state = known->list.is_new ? KNOWN_LISTED : KNOWN_DAMAGED;
	}
	if (known->list.is_new)
		expect_volumes(run);
	if (reset_orders_load(&known->orders, run->options->root, known->dir, &why))
		volume_run_notify(run, CONFIG_STATE, why.text);
}

bool volume_known_is_expected(struct known_list *list, const char *id)
{
	struct known_volume volume;

	return known_find(list, id, &volume) && volume.status == KNOWN_EXPECTED;
}

static bool is_luks2(const struct volume_plan *plan)
{
	return plan->has_header;
}

/* Would the volume be formatted, or get a file system that keeps its contents? */
static bool is_to_be_formatted(const struct volume_plan *plan)
{
	if (!*plan->device ||
	    (plan->probe.content != DISK_EMPTY &&
	     (plan->probe.content != DISK_UNFINISHED || !plan->volume->encrypted)))
		return false;
	return plan->volume->encrypted || config_filesystem_is_persistent(plan->volume->filesystem);
}

/* Would anything of the device be used? Otherwise it is refused without the list. */
static bool is_to_be_used(const struct volume_plan *plan)
{
	if (!*plan->device || plan->probe.content == DISK_RESETTING)
		return false;
	return is_luks2(plan) || (plan->volume->encrypted ? is_to_be_formatted(plan)
							  : plan->probe.content != DISK_LUKS2);
}

static void set_accept_remedy(struct obstacle *obstacle)
{
	snprintf(obstacle->remedy, sizeof(obstacle->remedy), "to accept it, run `mortise apply`");
}

static bool compare_header(const struct volume_plan *plan, const struct known_volume *known,
			   struct obstacle *obstacle)
{
	const char *uuid = plan->header ? luks2_header_uuid(plan->header) : known->uuid;
	uint8_t identity[VOLUME_IDENTITY_SIZE];
	struct mortise_error why;

	set_accept_remedy(obstacle);
	if (strcmp(uuid, known->uuid) != 0) {
		snprintf(obstacle->what, sizeof(obstacle->what),
			 "the header on %.200s is not that of %s on this machine (UUID %.40s, "
			 "not %s): not opened",
			 plan->device, known->id, uuid, known->uuid);
		return true;
	}
	if (!volume_plan_key(plan))
		return false;
	if (volume_identity(plan->header, plan->mapping, identity, &why)) {
		obstacle->kind = MORTISE_STEP_FAIL;
		snprintf(obstacle->what, sizeof(obstacle->what), "%.390s", why.text);
		return true;
	}
	if (known_matches(known, identity))
		return false;
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "the header on %.200s has the UUID of %s on this machine, but another volume key: "
		 "not opened",
		 plan->device, known->id);
	return true;
}

/* The header that an encryption in place was to make. */
static bool compare_encrypting(const struct volume_plan *plan, const struct known_volume *known,
			       struct obstacle *obstacle)
{
	uint8_t identity[VOLUME_IDENTITY_SIZE];
	struct mortise_error why;

	if (!volume_plan_key(plan) ||
	    (!volume_identity(plan->header, plan->mapping, identity, &why) &&
	     known_matches(known, identity)))
		return false;
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "the header on %.200s is not the one with which %s began to be encrypted: not "
		 "opened",
		 plan->device, known->id);
	set_accept_remedy(obstacle);
	return true;
}

static const char *describe_empty(const struct volume_plan *plan)
{
	return plan->probe.content == DISK_EMPTY ? "is empty" : "holds an interrupted format";
}

/* A volume is decrypted in place: not a file system, nor another volume, takes its place. */
static bool compare_decrypting(const struct volume_plan *plan, const struct known_volume *known,
			       struct obstacle *obstacle)
{
	/* On the device, it is whole until the file in STATE takes its place. */
	if (is_luks2(plan))
		return compare_header(plan, known, obstacle);
	obstacle->kind = MORTISE_STEP_FAIL;
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "%s is being decrypted in place, and neither %.200s nor STATE holds its header: "
		 "not used",
		 known->id, plan->device);
	return true;
}

/* The entry is for a volume that was ready, or whose format has begun. */
static bool compare_entry(const struct volume_run *run, const struct volume_plan *plan,
			  const struct known_volume *known, struct obstacle *obstacle)
{
	char command[VOLUME_RESET_COMMAND];

	/* Neither formatted nor replaced: the data is there, in one form or the other. */
	if (known->status == KNOWN_ENCRYPTING && plan->volume->encrypted && !is_luks2(plan)) {
		obstacle->kind = MORTISE_STEP_FAIL;
		snprintf(obstacle->what, sizeof(obstacle->what),
			 "%s is being encrypted in place, and %.200s holds neither its file system "
			 "nor its header: not %s",
			 known->id, plan->device, is_to_be_formatted(plan) ? "formatted" : "used");
		return true;
	}
	if (known->status == KNOWN_ENCRYPTING)
		return compare_encrypting(plan, known, obstacle);
	if (known->status == KNOWN_DECRYPTING)
		return compare_decrypting(plan, known, obstacle);
	if (known->encrypted && is_luks2(plan))
		return compare_header(plan, known, obstacle);
	if (is_luks2(plan) && !plan->volume->encrypted) {
		snprintf(obstacle->what, sizeof(obstacle->what),
			 "%s was not encrypted on this machine, and %.200s holds a LUKS2 volume: "
			 "not decrypted",
			 known->id, plan->device);
		set_accept_remedy(obstacle);
		return true;
	}
	if (known->encrypted != plan->volume->encrypted) {
		snprintf(obstacle->what, sizeof(obstacle->what),
			 "%s was %s on this machine and is now declared %s encryption", known->id,
			 known->encrypted ? "encrypted" : "not encrypted",
			 known->encrypted ? "without" : "with");
		set_accept_remedy(obstacle);
		return true;
	}
	if (!is_to_be_formatted(plan) || known->status == KNOWN_FORMATTING)
		return false;
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "%s was on this machine (UUID %s), and %.200s %s now: not formatted", known->id,
		 known->uuid, plan->device, describe_empty(plan));
	volume_reset_command(run, plan->volume, plan->device, command);
	snprintf(obstacle->remedy, sizeof(obstacle->remedy),
		 "if its disk was replaced, run `%s` or `mortise apply`", command);
	return true;
}

static bool find_other_partition(const struct volume_run *run, const struct volume_plan *plan,
				 const struct known_volume *known, struct obstacle *obstacle)
{
	if (volume_plan_is_on_known_partition(run, plan, known->partuuid, obstacle->what,
					      sizeof(obstacle->what)))
		return false;
	obstacle->kind = MORTISE_STEP_FAIL;
	return true;
}

static bool search_list(struct volume_run *run, const struct volume_plan *plan,
			struct obstacle *obstacle)
{
	struct known_volume known;

	if (known_find(&run->known.list, plan->volume->id, &known))
		return known.status != KNOWN_EXPECTED &&
		       (find_other_partition(run, plan, &known, obstacle) ||
			compare_entry(run, plan, &known, obstacle));
	if (!is_luks2(plan))
		return false;
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "the LUKS2 volume on %.200s is not known to this machine: not opened",
		 plan->device);
	set_accept_remedy(obstacle);
	return true;
}

static bool find_obstacle(struct volume_run *run, const struct volume_plan *plan,
			  struct obstacle *obstacle)
{
	*obstacle = (struct obstacle){ .kind = MORTISE_STEP_REFUSE };
	if (volume_is_state(plan->volume) || !is_to_be_used(plan))
		return false;
	/* The order is in STATE, as the list is. */
	if (plan->reset == RESET_ERASE && run->known.state == KNOWN_LISTED)
		return false;
	switch (run->known.state) {
	case KNOWN_UNUSED:
	case KNOWN_LATER:
		return false;
	case KNOWN_MISSING:
		obstacle->kind = MORTISE_STEP_WAIT;
		snprintf(obstacle->what, sizeof(obstacle->what),
			 "%.200s %s, and STATE, which lists the volumes of this machine, is not "
			 "mounted: not formatted",
			 plan->device, describe_empty(plan));
		return is_to_be_formatted(plan);
	case KNOWN_DAMAGED:
		snprintf(obstacle->what, sizeof(obstacle->what), "%.300s: not %s",
			 run->known.why.text, is_luks2(plan) ? "opened" : "used");
		snprintf(obstacle->remedy, sizeof(obstacle->remedy),
			 "to replace the list of known volumes, run `mortise apply`");
		return true;
	case KNOWN_LISTED:
		break;
	}
	return search_list(run, plan, obstacle);
}

/* An operator replaces a known volume, unless the plan that was shown did not say so. */
static bool is_allowed(struct volume_run *run, struct volume_plan *plan, struct obstacle *obstacle)
{
	struct known_volume known;
	bool found;

	if (!run->options->adopt || obstacle->kind != MORTISE_STEP_REFUSE)
		return false;
	found = known_find(&run->known.list, plan->volume->id, &known);
	if (found && plan->was_unlisted) {
		obstacle->kind = MORTISE_STEP_FAIL;
		snprintf(obstacle->remedy, sizeof(obstacle->remedy),
			 "STATE was not mounted when the plan was made; run the command again");
		return false;
	}
	if (found)
		snprintf(plan->replaces, sizeof(plan->replaces),
			 "; it replaces the known volume %s (UUID %s)", known.id,
			 *known.uuid ? known.uuid : "unknown");
	else
		snprintf(plan->replaces, sizeof(plan->replaces),
			 "; it is added to the known volumes");
	return true;
}

enum mortise_code volume_known_check(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	struct obstacle obstacle;

	plan->listed = run->known.state == KNOWN_LISTED || run->known.state == KNOWN_DAMAGED;
	plan->unlisted = run->known.state == KNOWN_MISSING && !volume_is_state(plan->volume);
	if (!find_obstacle(run, plan, &obstacle) || is_allowed(run, plan, &obstacle))
		return MORTISE_OK;
	return VOLUME_PLAN_ADD(plan, err, obstacle.kind, -1, "%s%s%s", obstacle.what,
			       *obstacle.remedy ? "; " : "", obstacle.remedy);
}

void volume_known_describe(struct volume_plan *plan)
{
	char *text = plan->step_count ? plan->steps[0].text : NULL;
	size_t used = text ? strlen(text) : 0;

	if (text && !plan->failed)
		snprintf(text + used, sizeof(plan->steps[0].text) - used, "%s", plan->replaces);
}

static bool changes_keys(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind >= MORTISE_STEP_KEY_ADD &&
		    plan->steps[i].kind <= MORTISE_STEP_KEY_RECORD)
			return true;
	return false;
}

bool volume_known_review(struct volume_run *run, struct volume_plan *plan)
{
	struct known_volume known;
	struct obstacle ignored;

	if (plan->listed || run->known.state == KNOWN_UNUSED || run->known.state == KNOWN_LATER)
		return false;
	if (plan->encrypts)
		return true;
	plan->was_unlisted = true;
	if (run->known.state == KNOWN_MISSING && is_luks2(plan))
		return changes_keys(plan);
	if (plan->partition && !plan->partition->created)
		return run->known.why.code ||
		       (known_find(&run->known.list, plan->volume->id, &known) &&
			known.status != KNOWN_EXPECTED);
	return plan->unlisted || reset_find_ordered(&run->known.orders, plan->volume) ||
	       find_obstacle(run, plan, &ignored);
}

/* False: the volume key is not known, so that an encrypted volume has no identity. */
static bool make_entry(const struct volume_plan *plan, struct known_volume *volume)
{
	const struct mortise_secret *next;
	struct mortise_error ignored;

	*volume = (struct known_volume){ .status = KNOWN_READY,
					 .encrypted = plan->volume->encrypted,
					 .detached = *plan->header_file };
	snprintf(volume->id, sizeof(volume->id), "%s", plan->volume->id);
	disk_partition_uuid(plan->device, volume->partuuid);
	if (!volume->encrypted) {
		/* A swap area has another UUID at each boot; the contents of a raw volume are its user's. */
		if (config_filesystem_is_persistent(plan->volume->filesystem))
			disk_filesystem_uuid(plan->device,
					     config_filesystem_name(plan->volume->filesystem),
					     volume->uuid);
		return true;
	}
	if (!volume_plan_key(plan) ||
	    volume_identity(plan->header, plan->mapping, volume->identity, &ignored))
		return false;
	next = luks2_header_next_key(plan->header);
	if (volume_in_reencryption(plan) && next &&
	    volume_identity_of(plan->header, next, plan->mapping, volume->next, &ignored))
		return false;
	snprintf(volume->uuid, sizeof(volume->uuid), "%s", luks2_header_uuid(plan->header));
	return true;
}

enum mortise_code volume_known_record_format(struct volume_run *run, const struct volume_plan *plan,
					     struct mortise_error *err)
{
	struct known_volume volume;
	enum mortise_code code;

	if (run->known.state != KNOWN_LISTED || volume_is_state(plan->volume))
		return MORTISE_OK;
	if (!make_entry(plan, &volume))
		return error_set(err, MORTISE_E_USAGE, 0, "cannot compute the identity of %s",
				 plan->device);
	volume.status = KNOWN_FORMATTING;
	code = known_set(&run->known.list, &volume, err);
	return code ? code : known_store(&run->known.list, err);
}

enum mortise_code volume_known_record_next(struct volume_run *run, const struct volume_plan *plan,
					   const struct mortise_secret *key,
					   struct mortise_error *err)
{
	struct known_volume volume;
	enum mortise_code code;

	if (run->known.state != KNOWN_LISTED || volume_is_state(plan->volume) ||
	    !known_find(&run->known.list, plan->volume->id, &volume) ||
	    volume.status == KNOWN_EXPECTED)
		return MORTISE_OK;
	code = volume_identity_of(plan->header, key, plan->mapping, volume.next, err);
	if (!code)
		code = known_set(&run->known.list, &volume, err);
	return code ? code : known_store(&run->known.list, err);
}

enum mortise_code volume_known_record_encryption(struct volume_run *run,
						 const struct volume_plan *plan,
						 struct mortise_error *err)
{
	struct known_volume volume = { .status = KNOWN_ENCRYPTING, .detached = !plan->header_room };
	enum mortise_code code = MORTISE_OK;

	if (run->known.state != KNOWN_LISTED || volume_is_state(plan->volume))
		return MORTISE_OK;
	snprintf(volume.id, sizeof(volume.id), "%s", plan->volume->id);
	disk_partition_uuid(plan->device, volume.partuuid);
	disk_filesystem_uuid(plan->device, config_filesystem_name(plan->volume->filesystem),
			     volume.uuid);
	if (plan->header)
		code = volume_identity(plan->header, plan->mapping, volume.next, err);
	if (!code)
		code = known_set(&run->known.list, &volume, err);
	return code ? code : known_store(&run->known.list, err);
}

enum mortise_code volume_known_record_decryption(struct volume_run *run,
						 const struct volume_plan *plan, bool done,
						 struct mortise_error *err)
{
	struct known_volume volume = { .status = done ? KNOWN_READY : KNOWN_DECRYPTING,
				       .encrypted = !done };
	enum mortise_code code = MORTISE_OK;

	snprintf(volume.id, sizeof(volume.id), "%s", plan->volume->id);
	disk_partition_uuid(plan->device, volume.partuuid);
	if (done && config_filesystem_is_persistent(plan->volume->filesystem)) {
		disk_filesystem_uuid(plan->device, config_filesystem_name(plan->volume->filesystem),
				     volume.uuid);
	} else if (!done) {
		snprintf(volume.uuid, sizeof(volume.uuid), "%s", luks2_header_uuid(plan->header));
		code = volume_identity(plan->header, plan->mapping, volume.identity, err);
	}
	if (!code)
		code = known_set(&run->known.list, &volume, err);
	return code ? code : known_store(&run->known.list, err);
}

static void report_changes(const struct known_volume *before, const struct known_volume *now,
			   struct volume_opening *opening)
{
	char text[256];

	if (before->status != KNOWN_READY)
		return;
	if (strcmp(before->uuid, now->uuid) != 0 || before->encrypted != now->encrypted ||
	    !known_matches(before, now->identity)) {
		snprintf(text, sizeof(text),
			 "replaced in the list of known volumes: UUID %s, before %s", now->uuid,
			 before->uuid);
		volume_opening_add(&opening->notices, text);
	} else if (strcmp(before->partuuid, now->partuuid) != 0) {
		snprintf(text, sizeof(text),
			 "the volume is on another partition than before: PARTUUID %s, before %s",
			 *now->partuuid ? now->partuuid : "unknown",
			 *before->partuuid ? before->partuuid : "unknown");
		volume_opening_add(&opening->notices, text);
	}
}

/*
 * Does the entry say already what the volume is until its reencryption ends? While plain data is left, it
 * is not one that was ready.
 */
static bool is_recorded(const struct volume_plan *plan, const struct known_volume *before,
			struct known_volume *now)
{
	if (!volume_in_reencryption(plan))
		return false;
	if (plan->encrypts) {
		now->status = KNOWN_ENCRYPTING;
		memcpy(now->next, now->identity, sizeof(now->next));
	}
	return before->status == now->status && known_matches(before, now->identity);
}

void volume_known_record(struct volume_run *run, const struct volume_plan *plan,
			 struct volume_result *result)
{
	struct known_volume before = { .status = KNOWN_EXPECTED }, now;
	struct mortise_error why;
	enum mortise_code code = MORTISE_OK;

	if (result->phase != MORTISE_PHASE_READY)
		return;
	if (volume_is_state(plan->volume))
		volume_known_begin(run);
	if (plan->unlisted && is_luks2(plan))
		volume_opening_add(&result->opening.notices,
				   "its keys were not compared, because STATE, which lists the "
				   "volumes of this machine, is not mounted");
	if (run->known.state != KNOWN_LISTED)
		return;
	if (volume_is_state(plan->volume) && run->known.why.code) {
		volume_opening_add(&result->opening.notices, run->known.why.text);
		volume_opening_add(&result->opening.notices,
				   "the list of known volumes is written again");
	}
	(void)known_find(&run->known.list, plan->volume->id, &before);
	if (make_entry(plan, &now) && !is_recorded(plan, &before, &now)) {
		report_changes(&before, &now, &result->opening);
		code = known_set(&run->known.list, &now, &why);
	}
	if (!code)
		code = known_store(&run->known.list, &why);
	/* A power cut may have left it behind. */
	if (!code && !*plan->header_file)
		code = state_header_remove(run->options->root, run->known.dir, plan->volume->id,
					   &why);
	if (code)
		volume_opening_add(&result->opening.failed_syncs, why.text);
}
