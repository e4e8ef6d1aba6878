/* SPDX-License-Identifier: MIT */
/* trim: discard the unused blocks of mounted volumes whose configuration has "trim", when due. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli/declared/json.h"
#include "cli/declared/table.h"
#include "cli/declared/volumes.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/verbs.h"

#define COLUMNS 5u

static const char *const titles[COLUMNS] = { "VOLUME", "MOUNTED", "TRIM", "BYTES", "LAST" };

static bool fill_row(const void *trim, size_t i, struct table_row *row)
{
	const struct mortise_trim_volume *volume;
	struct tm when;
	time_t last;

	if (!(volume = mortise_trim_volume(trim, i)))
		return false;
	last = (time_t)volume->last;
	row->cells[0] = volume->name;
	row->cells[1] = table_or_dash(volume->mount_point);
	row->cells[2] = mortise_trim_state_name(volume->state);
	snprintf(row->texts[0], TABLE_TEXT_SIZE, "%" PRIu64, volume->bytes);
	row->cells[3] = volume->state == MORTISE_TRIM_DONE ? row->texts[0] : "-";
	if (last <= 0 || !gmtime_r(&last, &when) ||
	    !strftime(row->texts[1], TABLE_TEXT_SIZE, "%Y-%m-%d %H:%MZ", &when))
		snprintf(row->texts[1], TABLE_TEXT_SIZE, "-");
	row->cells[4] = row->texts[1];
	return true;
}

/* A volume that is skipped at each run of a timer is worth a notice, not an error. */
static void print_messages(const struct command *c, const struct mortise_trim *trim)
{
	const struct mortise_trim_volume *v;

	for (size_t i = 0; (v = mortise_trim_volume(trim, i)); i++) {
		if (v->state == MORTISE_TRIM_FAILED)
			print_to(stderr, "mortise: %s: %s\n", v->name, v->text);
		else if (v->text[0] != '\0' && !option_set(&c->options, OPTION_BATCH_MODE))
			print_to(stderr, PRINT_NOTICE "mortise: %s: notice: not trimmed: %s\n",
				 v->name, v->text);
		else if (v->state == MORTISE_TRIM_DONE && log_is_kernel())
			print_to(stderr, PRINT_INFO "mortise: %s: trimmed %" PRIu64 " bytes\n",
				 v->name, v->bytes);
	}
}

static enum status print_trim_json(const struct command *c, const struct volumes *volumes,
				   const struct mortise_trim *trim, const struct mortise_error *err)
{
	struct json_object *document = json_document(volumes->config, c->verb->name);
	struct json_object *rows = json_object_new_array();
	const struct mortise_trim_volume *v;

	for (size_t i = 0; trim && (v = mortise_trim_volume(trim, i)); i++) {
		struct json_object *row = json_object_new_object();

		json_add_text(row, "name", v->name);
		json_add_text(row, "id", v->id);
		json_add_text(row, "mountPoint", v->mount_point);
		json_add_text(row, "state", mortise_trim_state_name(v->state));
		json_object_object_add(
			row, "bytes",
			v->state == MORTISE_TRIM_DONE ? json_object_new_uint64(v->bytes) : NULL);
		json_object_object_add(row, "last",
				       v->last > 0 ? json_object_new_int64(v->last) : NULL);
		json_object_object_add(row, "interval",
				       v->interval > 0 ? json_object_new_uint64(v->interval)
						       : NULL);
		json_add_text(row, "text", v->text);
		json_object_array_add(rows, row);
	}
	json_object_object_add(document, "volumes", rows);
	json_add_error(document, err);
	return json_print(document);
}

/* A volume that the user has named, and that cannot be trimmed, is a failure, too. */
static enum status trim_status(const struct command *c, const struct mortise_trim *trim)
{
	const struct mortise_trim_volume *volume;
	size_t bad = 0, i;

	for (i = 0; (volume = mortise_trim_volume(trim, i)); i++)
		bad += volume->state == MORTISE_TRIM_FAILED ||
		       (volume->state == MORTISE_TRIM_SKIPPED && c->word_count > 0);
	if (bad == 0)
		return STATUS_OK;
	return bad == i ? STATUS_USAGE : STATUS_PARTLY;
}

enum status run_trim(const struct command *c)
{
	const struct table table = { .titles = titles, .columns = COLUMNS, .fill = fill_row };
	enum status status, printed = STATUS_OK;
	struct mortise_trim *trim = NULL;
	struct mortise_error err = { 0 };
	struct table shown = table;
	struct volumes volumes;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	err.code = mortise_trim(volumes.config, &volumes.options,
				option_set(&c->options, OPTION_FORCE), &trim, &err);
	if (trim) {
		status = trim_status(c, trim);
		print_messages(c, trim);
	}
	if (err.code != MORTISE_OK)
		status = volumes_fail(c, &err);
	shown.subject = trim;
	if (volumes.json)
		printed = print_trim_json(c, &volumes, trim, &err);
	else if (trim && !table_print(&shown))
		print("No volume has \"trim\" in the configuration.\n");
	mortise_trim_free(&trim);
	volumes_close(&volumes);
	return status == STATUS_OK ? printed : status;
}
