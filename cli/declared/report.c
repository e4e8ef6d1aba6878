/* SPDX-License-Identifier: MIT */
/* The state of declared volumes, as a table or as JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/declared/json.h"
#include "cli/declared/plan_print.h"
#include "cli/declared/prometheus.h"
#include "cli/declared/report.h"
#include "cli/declared/table.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/verbs.h"

#define COLUMNS 6u

static const char *const titles[COLUMNS] = {
	"VOLUME", "DEVICE", "PHASE", "SLOT", "KEY", "MOUNTED"
};

static bool fill_row(const void *report, size_t i, struct table_row *row)
{
	const struct mortise_volume_status *volume;

	if (!(volume = mortise_report_volume(report, i)))
		return false;
	row->cells[0] = volume->name;
	row->cells[1] = table_or_dash(volume->device);
	row->cells[2] = mortise_phase_name(volume->phase);
	row->cells[3] = table_keyslot(row->texts[0], volume->keyslot);
	row->cells[4] = table_or_dash(volume->key_kind);
	row->cells[5] = table_or_dash(volume->mount_point);
	return true;
}

/* "STATE: recovery key in keyslot 5" */
static void print_recovery(const struct mortise_volume_status *volume)
{
	const char *before = "recovery key in keyslot ";

	if (volume->recovery_keyslots == 0)
		return;
	print("%s: ", volume->name);
	for (unsigned id = 0; id < MORTISE_KEYSLOTS_MAX; id++) {
		if (!(volume->recovery_keyslots & UINT32_C(1) << id))
			continue;
		print("%s%u", before, id);
		before = ", ";
	}
	print("\n");
}

/* "data: UUID 8d3c1f6e-..., known, seal unverified" */
static void print_trust(const struct mortise_volume_status *volume)
{
	if (volume->uuid[0] == '\0' && volume->known[0] == '\0')
		return;
	print("%s: UUID %s", volume->name, table_or_dash(volume->uuid));
	if (volume->known[0] != '\0')
		print(", %s", volume->known);
	if (volume->seal[0] != '\0')
		print(", seal %s", volume->seal);
	print("\n");
}

/* "data: file system: corrected: recovering journal". A clean one needs no line. */
static void print_fsck(const struct mortise_volume_status *volume)
{
	if (volume->fsck[0] != '\0' && strcmp(volume->fsck, "clean") != 0)
		print("%s: file system: %s\n", volume->name, volume->fsck);
}

static void print_order(const struct mortise_volume_status *volume)
{
	if (volume->reencryption[0] != '\0')
		print("%s: %s\n", volume->name, volume->reencryption);
	if (volume->reset_staged)
		print("%s: will be erased by the next `mortise up` that finds it closed; to keep "
		      "it, run `mortise reset --withdraw %s`\n",
		      volume->name, volume->id);
}

static void print_table(const struct mortise_report *report)
{
	const struct table table = {
		.titles = titles,
		.columns = COLUMNS,
		.fill = fill_row,
		.subject = report,
	};
	const struct mortise_volume_status *volume;

	if (!table_print(&table))
		print("No volumes.\n");
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_recovery(volume);
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_trust(volume);
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_fsck(volume);
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_order(volume);
}

static void print_messages(struct said *said, const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		said_print(said, SAID_ERROR, volume->name, volume->error);
		said_print(said, SAID_WARNING, volume->name, volume->failed_syncs);
		said_print(said, SAID_NOTICE, volume->name, volume->notices);
	}
}

/* The table goes to standard output, which may be lost: a line for each volume. */
static void log_phases(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_to(stderr, PRINT_INFO "mortise: %s: %s\n", volume->name,
			 mortise_phase_name(volume->phase));
}

/* Adds the parts of text between separators as an array of strings. */
static void add_list(struct json_object *object, const char *name, const char *text,
		     const char *separator)
{
	struct json_object *list = json_object_new_array();

	while (*text) {
		int length = (int)strcspn(text, separator);

		if (length > 0)
			json_object_array_add(list, json_object_new_string_len(text, length));
		text += length;
		text += *text != '\0';
	}
	json_object_object_add(object, name, list);
}

/* Adds the numbers of the bits that are set, of keyslots or PCRs. */
static void add_bits(struct json_object *object, const char *name, uint32_t bits)
{
	struct json_object *list = json_object_new_array();

	for (int id = 0; id < 32; id++) {
		if (bits & UINT32_C(1) << id)
			json_object_array_add(list, json_object_new_int(id));
	}
	json_object_object_add(object, name, list);
}

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

/* Adds the use of a mounted file system, or null. */
static void add_use(struct json_object *object, const struct mortise_filesystem_use *use)
{
	struct json_object *row = NULL;

	if (use->size > 0) {
		row = json_object_new_object();
		add_number(row, "size", use->size);
		add_number(row, "used", use->used);
		add_number(row, "available", use->available);
		add_number(row, "inodes", use->inodes);
		add_number(row, "inodesUsed", use->inodes_used);
	}
	json_object_object_add(object, "use", row);
}

static void add_last_up(struct json_object *object, const struct mortise_volume_status *volume)
{
	struct json_object *row = NULL;

	if (volume->last_up > 0) {
		row = json_object_new_object();
		add_number(row, "time", (uint64_t)volume->last_up);
		json_add_text(row, "error", volume->last_error);
	}
	json_object_object_add(object, "lastUp", row);
}

static void add_last_trim(struct json_object *object, const struct mortise_volume_status *volume)
{
	struct json_object *row = NULL;

	if (volume->last_trim > 0) {
		row = json_object_new_object();
		add_number(row, "time", (uint64_t)volume->last_trim);
		add_number(row, "bytes", volume->last_trim_bytes);
	}
	json_object_object_add(object, "lastTrim", row);
}

static void add_reencryption(struct json_object *object, const struct mortise_volume_status *volume)
{
	struct json_object *row = NULL;

	if (volume->reencrypt_total > 0) {
		row = json_object_new_object();
		add_number(row, "done", volume->reencrypted);
		add_number(row, "total", volume->reencrypt_total);
		json_object_object_add(row, "running",
				       json_object_new_boolean(volume->reencrypt_runs));
	}
	json_object_object_add(object, "reencryptionProgress", row);
}

/* The members that only status knows. */
static void add_facts(struct json_object *row, const struct mortise_volume_status *volume)
{
	const bool open = volume->mapping[0] != '\0';

	json_object_object_add(row, "size",
			       volume->size ? json_object_new_uint64(volume->size) : NULL);
	json_add_text(row, "disk", volume->disk);
	json_add_keyslot(row, "partition", volume->partition ? (int)volume->partition : -1);
	json_add_text(row, "partitionUuid", volume->partition_uuid);
	add_bits(row, "pcrs", volume->pcrs);
	json_object_object_add(row, "signedPcr11", json_object_new_boolean(volume->signed_pcr_11));
	json_object_object_add(row, "discards",
			       open ? json_object_new_boolean(volume->discards) : NULL);
	add_use(row, &volume->use);
	add_last_up(row, volume);
	add_last_trim(row, volume);
	add_reencryption(row, volume);
}

static struct json_object *volume_json(const struct mortise_volume_status *volume, bool facts)
{
	struct json_object *row = json_object_new_object();

	json_add_text(row, "name", volume->name);
	json_add_text(row, "id", volume->id);
	json_add_text(row, "phase", mortise_phase_name(volume->phase));
	json_add_text(row, "device", volume->device);
	json_add_text(row, "mapping", volume->mapping);
	json_add_text(row, "mountPoint", volume->mount_point);
	json_add_text(row, "filesystem", volume->filesystem);
	json_object_object_add(row, "encrypted", json_object_new_boolean(volume->encrypted));
	json_add_keyslot(row, "keyslot", volume->keyslot);
	json_add_text(row, "keyKind", volume->key_kind);
	add_list(row, "keyKinds", volume->key_kinds, ",");
	json_object_object_add(row, "lockedToState",
			       json_object_new_boolean(volume->locked_to_state));
	add_list(row, "failedSyncs", volume->failed_syncs, "\n");
	add_list(row, "notices", volume->notices, "\n");
	add_bits(row, "recoveryKeyslots", volume->recovery_keyslots);
	json_add_text(row, "error", volume->error);
	json_add_text(row, "text", volume->text);
	json_add_text(row, "uuid", volume->uuid);
	json_add_text(row, "known", volume->known);
	json_add_text(row, "seal", volume->seal);
	if (facts)
		add_facts(row, volume);
	json_object_object_add(row, "resetStaged", json_object_new_boolean(volume->reset_staged));
	json_add_text(row, "fsck", volume->fsck);
	json_add_text(row, "reencryption", volume->reencryption);
	return row;
}

static enum status print_report_json(const struct command *c, const struct volumes *volumes,
				     const struct mortise_report *report,
				     const struct mortise_error *err)
{
	struct json_object *document = json_document(volumes->config, c->verb->name);
	struct json_object *rows = json_object_new_array();
	const struct mortise_volume_status *volume;

	if (c->verb->id == VERB_APPLY)
		plan_add_json(document, volumes->plan);
	for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++)
		json_object_array_add(rows, volume_json(volume, c->verb->id == VERB_STATUS));
	json_object_object_add(document, "volumes", rows);
	json_add_error(document, err);
	return json_print(document);
}

/* STATUS_OK if all volumes have reached the phase, STATUS_USAGE if none has, else STATUS_PARTLY. */
static enum status status_for(const struct mortise_report *report, enum mortise_phase wanted)
{
	const struct mortise_volume_status *volume;
	size_t reached = 0, i;

	for (i = 0; (volume = mortise_report_volume(report, i)); i++)
		reached += volume->phase == wanted;
	if (reached == i)
		return STATUS_OK;
	return reached == 0 ? STATUS_USAGE : STATUS_PARTLY;
}

static bool has_volume_error(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++)
		if (volume->error[0] != '\0')
			return true;
	return false;
}

enum status report_print(const struct command *c, struct volumes *volumes,
			 const struct mortise_report *report, enum mortise_phase wanted,
			 const struct mortise_error *err)
{
	enum status status = STATUS_OK, printed = STATUS_OK;

	if (report)
		status = status_for(report, wanted);
	/* The error of a volume already explains why the run failed. */
	if (err->code == MORTISE_E_CANCELED ||
	    (err->code != MORTISE_OK && !has_volume_error(report)))
		status = volumes_fail(c, err);
	if (report)
		print_messages(&volumes->said, report);
	if (report && log_is_kernel() && !option_set(&c->options, OPTION_BATCH_MODE))
		log_phases(report);
	if (volumes->json)
		printed = print_report_json(c, volumes, report, err);
	else if (option_set(&c->options, OPTION_PROMETHEUS))
		printed = prometheus_print(report);
	else if (report)
		print_table(report);
	return status == STATUS_OK ? printed : status;
}
