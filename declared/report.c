/* SPDX-License-Identifier: MIT */
/* The report: the state of each volume. */
#include "declared/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "disk/filesystem.h"

enum mortise_code volume_report_new(const struct config *config, struct mortise_report **out,
				    struct mortise_error *err)
{
	struct mortise_report *report = calloc(1, sizeof(*report));

	if (report)
		report->entries = calloc(config->volume_count ? config->volume_count : 1,
					 sizeof(*report->entries));
	if (!report || !report->entries) {
		free(report);
		return error_memory(err);
	}
	*out = report;
	return MORTISE_OK;
}

void mortise_report_free(struct mortise_report **address)
{
	struct mortise_report *report = address ? *address : NULL;

	if (!report)
		return;
	*address = NULL;
	for (size_t i = 0; i < report->count; i++)
		volume_opening_clear(&report->entries[i].opening);
	free(report->entries);
	free(report);
}

/* Lists each kind once, sorted by name. */
static void list_kinds(const struct config_volume *volume, char *text, size_t room)
{
	static const enum config_key_kind sorted[] = { CONFIG_KEY_KMS, CONFIG_KEY_NODE_ID,
						       CONFIG_KEY_STATIC, CONFIG_KEY_TPM };

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(sorted) / sizeof(*sorted); i++) {
		bool used = false;

		for (size_t j = 0; j < volume->key_count; j++)
			used |= volume->keys[j].kind == sorted[i];
		if (used && *text)
			strncat(text, ",", room - strlen(text) - 1);
		if (used)
			strncat(text, config_key_kind_name(sorted[i]), room - strlen(text) - 1);
	}
}

struct volume_entry *volume_report_add(struct mortise_report *report,
				       const struct config_volume *volume)
{
	struct volume_entry *entry = &report->entries[report->count++];

	entry->volume = volume;
	entry->opening.keyslot = -1;
	list_kinds(volume, entry->key_kinds, sizeof(entry->key_kinds));
	return entry;
}

void volume_report_set(struct volume_entry *entry, const struct volume_plan *plan,
		       const struct volume_result *result)
{
	entry->phase = result->phase;
	entry->opening = result->opening;
	snprintf(entry->device, sizeof(entry->device), "%s", plan->device);
	snprintf(entry->text, sizeof(entry->text), "%s", result->text);
	snprintf(entry->error, sizeof(entry->error), "%s", result->why.text);
	volume_fsck_read(plan->volume, entry->fsck);
	if (result->phase != MORTISE_PHASE_READY)
		return;
	if (plan->volume->encrypted)
		snprintf(entry->mapping, sizeof(entry->mapping), "/dev/mapper/%s", plan->mapping);
	snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", plan->mount_point);
}

static const char *find_key_kind(const struct config_volume *volume, int keyslot)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if ((int)volume->keys[i].slot == keyslot)
			return config_key_kind_name(volume->keys[i].kind);
	return "";
}

const struct mortise_volume_status *mortise_report_volume(const struct mortise_report *report,
							  size_t i)
{
	const struct volume_facts *facts;
	struct volume_entry *entry;
	bool locked = false;

	if (i >= report->count)
		return NULL;
	entry = &report->entries[i];
	facts = &entry->facts;
	for (size_t j = 0; j < entry->volume->key_count; j++)
		locked |= entry->volume->keys[j].lock_to_state;
	entry->shown = (struct mortise_volume_status){
		.name = entry->volume->name,
		.id = entry->volume->id,
		.phase = entry->phase,
		.device = entry->device,
		.mapping = entry->mapping,
		.mount_point = entry->mount_point,
		.filesystem = config_filesystem_name(entry->volume->filesystem),
		.encrypted = entry->volume->encrypted,
		.keyslot = entry->opening.keyslot,
		.key_kind = find_key_kind(entry->volume, entry->opening.keyslot),
		.key_kinds = entry->key_kinds,
		.locked_to_state = locked,
		.failed_syncs = entry->opening.failed_syncs ? entry->opening.failed_syncs : "",
		.notices = entry->opening.notices ? entry->opening.notices : "",
		.recovery_keyslots = entry->opening.recovery_keyslots,
		.error = entry->error,
		.text = entry->text,
		.uuid = entry->uuid,
		.known = entry->known ? entry->known : "",
		.seal = entry->seal ? entry->seal : "",
		.size = facts->place.size,
		.disk = facts->place.disk,
		.partition = facts->place.partition,
		.partition_uuid = facts->partition_uuid,
		.pcrs = facts->pcrs,
		.signed_pcr_11 = facts->signed_pcr_11,
		.discards = facts->discards,
		.use = facts->use,
		.last_up = facts->last_up,
		.last_error = facts->last_error,
		.last_trim = facts->last_trim,
		.last_trim_bytes = facts->last_trim_bytes,
		.reset_staged = entry->reset_staged,
		.fsck = entry->fsck,
		.reencryption = entry->reencryption,
		.reencrypted = facts->reencrypted,
		.reencrypt_total = facts->reencrypt_total,
		.reencrypt_runs = facts->running,
	};
	return &entry->shown;
}

const char *mortise_phase_name(enum mortise_phase phase)
{
	switch (phase) {
	case MORTISE_PHASE_WAITING:
		return "waiting";
	case MORTISE_PHASE_FAILED:
		return "failed";
	case MORTISE_PHASE_MISSING:
		return "missing";
	case MORTISE_PHASE_LOCATED:
		return "located";
	case MORTISE_PHASE_PREPARED:
		return "prepared";
	case MORTISE_PHASE_READY:
		return "ready";
	case MORTISE_PHASE_CLOSED:
		return "closed";
	}
	return "";
}

const char *mortise_step_kind_name(enum mortise_step_kind kind)
{
	switch (kind) {
	case MORTISE_STEP_FORMAT:
		return "format";
	case MORTISE_STEP_OPEN:
		return "open";
	case MORTISE_STEP_KEY_ADD:
		return "key-add";
	case MORTISE_STEP_KEY_REPLACE:
		return "key-replace";
	case MORTISE_STEP_KEY_REMOVE:
		return "key-remove";
	case MORTISE_STEP_KEY_RECORD:
		return "key-record";
	case MORTISE_STEP_MKFS:
		return "mkfs";
	case MORTISE_STEP_MOUNT:
		return "mount";
	case MORTISE_STEP_WAIT:
		return "wait";
	case MORTISE_STEP_REFUSE:
		return "refuse";
	case MORTISE_STEP_FAIL:
		return "fail";
	case MORTISE_STEP_KEY_FAIL:
		return "key-fail";
	case MORTISE_STEP_SEAL:
		return "seal";
	case MORTISE_STEP_RESET:
		return "reset";
	case MORTISE_STEP_GROW:
		return "grow";
	case MORTISE_STEP_GROW_FS:
		return "grow-fs";
	case MORTISE_STEP_PARTITION:
		return "partition";
	case MORTISE_STEP_REENCRYPT:
		return "reencrypt";
	case MORTISE_STEP_ENCRYPT:
		return "encrypt";
	case MORTISE_STEP_DECRYPT:
		return "decrypt";
	}
	return "";
}
