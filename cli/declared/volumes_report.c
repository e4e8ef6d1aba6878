/* SPDX-License-Identifier: MIT */
/* The state of declared volumes, as a table for people and as JSON for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/declared/plan_print.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/declared/volumes.h"

#define COLUMNS 6u

static const char *const titles[COLUMNS] = {
	"VOLUME", "DEVICE", "PHASE", "SLOT", "KEY", "MOUNTED"
};

/* An empty cell would look like a shifted row. */
static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void fill_cells(const struct mortise_volume_status *volume, char slot[static 12],
		       const char *cells[COLUMNS])
{
	snprintf(slot, 12, "-");
	if (volume->keyslot >= 0)
		snprintf(slot, 12, "%d", volume->keyslot);
	cells[0] = volume->name;
	cells[1] = or_dash(volume->device);
	cells[2] = mortise_phase_name(volume->phase);
	cells[3] = slot;
	cells[4] = or_dash(volume->key_kind);
	cells[5] = or_dash(volume->mount_point);
}

/* "STATE: recovery key in keyslot 5": who counts on it sees that it is there. */
static void print_recovery(const struct mortise_volume_status *volume)
{
	const char *before = "recovery key in keyslot ";

	if (volume->recovery_keyslots == 0)
		return;
	printf("%s: ", volume->name);
	for (unsigned id = 0; id < MORTISE_KEYSLOTS_MAX; id++) {
		if (!(volume->recovery_keyslots & UINT32_C(1) << id))
			continue;
		printf("%s%u", before, id);
		before = ", ";
	}
	printf("\n");
}

static void print_table(const struct mortise_report *report)
{
	struct table table = { .titles = titles, .count = COLUMNS };
	const struct mortise_volume_status *volume;
	const char *cells[COLUMNS];
	char slot[12];

	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		fill_cells(volume, slot, cells);
		table_measure(&table, cells);
	}
	if (!mortise_report_volume(report, 0)) {
		printf("No volumes.\n");
		return;
	}
	table_print_titles(&table);
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		fill_cells(volume, slot, cells);
		table_print(&table, cells);
	}
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++)
		print_recovery(volume);
}

/* "mortise: STATE: line" for every line of text, with a word before it. */
static void print_lines(const char *volume, const char *word, const char *text)
{
	while (*text) {
		int length = (int)strcspn(text, "\n");

		fprintf(stderr, "mortise: %s: %s%.*s\n", volume, word, length, text);
		text += length;
		text += *text == '\n';
	}
}

static void print_sentences(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		print_lines(volume->name, "", volume->error);
		print_lines(volume->name, "", volume->failed_syncs);
		print_lines(volume->name, "notice: ", volume->notices);
	}
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	struct json_object *value = NULL;

	if (text && text[0] != '\0')
		value = json_object_new_string(text);
	json_object_object_add(object, name, value);
}

void json_add_keyslot(struct json_object *object, const char *name, int keyslot)
{
	json_object_object_add(object, name, keyslot >= 0 ? json_object_new_int(keyslot) : NULL);
}

void json_add_error(struct json_object *object, const struct mortise_error *err)
{
	struct json_object *error = NULL;

	if (err->code != MORTISE_OK) {
		error = json_object_new_object();
		json_add_text(error, "code", mortise_code_text(err->code));
		json_add_text(error, "text", err->text);
	}
	json_object_object_add(object, "error", error);
}

/* The parts of text between separators, as an array of strings. */
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

static void add_keyslots(struct json_object *object, const char *name, uint32_t keyslots)
{
	struct json_object *list = json_object_new_array();

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (keyslots & UINT32_C(1) << id)
			json_object_array_add(list, json_object_new_int(id));
	}
	json_object_object_add(object, name, list);
}

struct json_object *volumes_json(const struct mortise_config *config, const char *verb)
{
	struct json_object *document = json_object_new_object();
	struct json_object *remarks = json_object_new_array();
	const struct mortise_remark *remark;

	json_add_text(document, "mortise", MORTISE_VERSION);
	json_add_text(document, "command", verb);
	for (size_t i = 0; config && (remark = mortise_config_remark(config, i)); i++) {
		struct json_object *row = json_object_new_object();

		json_add_text(row, "severity", remark->error ? "error" : "notice");
		json_object_object_add(row, "line", json_object_new_int64(remark->line));
		json_object_object_add(row, "column", json_object_new_int64(remark->column));
		json_add_text(row, "text", remark->text);
		json_object_array_add(remarks, row);
	}
	json_object_object_add(document, "remarks", remarks);
	return document;
}

static struct json_object *volume_json(const struct mortise_volume_status *volume)
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
	add_keyslots(row, "recoveryKeyslots", volume->recovery_keyslots);
	json_add_text(row, "error", volume->error);
	json_add_text(row, "text", volume->text);
	return row;
}

enum status json_print(struct json_object *document)
{
	const char *text = NULL;
	bool printed;

	if (document)
		text = json_object_to_json_string_ext(
			document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					  JSON_C_TO_STRING_NOSLASHESCAPE);
	printed = text && printf("%s\n", text) > 0;
	json_object_put(document);
	return printed ? STATUS_OK : fail_with(STATUS_MEMORY, "mortise: Out of memory.");
}

/* 0 when all have got there, 1 when none has, 6 when some have. */
static enum status judge(const struct mortise_report *report, enum mortise_phase done)
{
	const struct mortise_volume_status *volume;
	size_t reached = 0, i;

	for (i = 0; (volume = mortise_report_volume(report, i)); i++)
		reached += volume->phase == done;
	if (reached == i)
		return STATUS_OK;
	return reached == 0 ? STATUS_USAGE : STATUS_PARTLY;
}

/* Does a volume's own sentence say why the whole failed? */
static bool explained(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++)
		if (volume->error[0] != '\0')
			return true;
	return false;
}

enum status volumes_finish(const struct command *c, const struct volumes *volumes,
			   struct mortise_report *report, enum mortise_phase done,
			   const struct mortise_error *err)
{
	enum status status = STATUS_OK, printed = STATUS_OK;
	const struct mortise_volume_status *volume;
	struct json_object *document, *rows;

	if (report)
		status = judge(report, done);
	if (err->code == MORTISE_E_CANCELED || (err->code != MORTISE_OK && !explained(report))) {
		fprintf(stderr, "mortise: ");
		status = fail(c, err);
	}
	if (report)
		print_sentences(report);
	if (volumes->json) {
		document = volumes_json(volumes->config, c->verb->name);
		if (c->verb->id == VERB_APPLY)
			plan_json(document, volumes->plan);
		rows = json_object_new_array();
		for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++)
			json_object_array_add(rows, volume_json(volume));
		json_object_object_add(document, "volumes", rows);
		json_add_error(document, err);
		printed = json_print(document);
	} else if (report) {
		print_table(report);
	}
	mortise_report_free(&report);
	return status == STATUS_OK ? printed : status;
}
