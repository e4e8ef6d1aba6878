/* SPDX-License-Identifier: MIT */
/* Output of a plan: a table, JSON, and the notes on it. */
#include "cli/declared/plan_print.h"

#include <stdio.h>

#include "cli/declared/json.h"
#include "cli/declared/table.h"
#include "cli/output.h"

#define COLUMNS 5u

static const char *const titles[COLUMNS] = { "VOLUME", "STEP", "DEVICE", "SLOT", "WHAT" };

static bool fill_row(const void *plan, size_t i, struct table_row *row)
{
	const struct mortise_step *step;

	if (!(step = mortise_plan_step(plan, i)))
		return false;
	row->cells[0] = step->volume;
	row->cells[1] = mortise_step_kind_name(step->kind);
	row->cells[2] = table_or_dash(step->device);
	row->cells[3] = table_keyslot(row->texts[0], step->keyslot);
	row->cells[4] = step->text;
	return true;
}

void plan_print(const struct mortise_plan *plan)
{
	const struct table table = {
		.titles = titles,
		.columns = COLUMNS,
		.fill = fill_row,
		.subject = plan,
	};

	if (!table_print(&table))
		print("Nothing to do.\n");
}

void plan_print_notes(const struct command *c, const struct mortise_plan *plan)
{
	const char *note;

	if (option_set(&c->options, OPTION_BATCH_MODE))
		return;
	for (size_t i = 0; (note = mortise_plan_note(plan, i)); i++)
		print_to(stderr, PRINT_NOTICE "mortise: note: %s\n", note);
}

static struct json_object *partition_json(const struct mortise_partition *partition)
{
	struct json_object *json = json_object_new_object();

	json_add_text(json, "disk", partition->disk);
	json_object_object_add(json, "number", json_object_new_int((int)partition->number));
	json_object_object_add(json, "start", json_object_new_uint64(partition->start));
	json_object_object_add(json, "size", json_object_new_uint64(partition->size));
	json_add_text(json, "label", partition->label);
	json_add_text(json, "type", partition->type);
	return json;
}

static struct json_object *steps_json(const struct mortise_plan *plan)
{
	struct json_object *rows = json_object_new_array();
	const struct mortise_step *step;

	for (size_t i = 0; plan && (step = mortise_plan_step(plan, i)); i++) {
		struct json_object *row = json_object_new_object();

		json_add_text(row, "volume", step->volume);
		json_add_text(row, "kind", mortise_step_kind_name(step->kind));
		json_add_text(row, "device", step->device);
		json_add_keyslot(row, "keyslot", step->keyslot);
		json_add_text(row, "text", step->text);
		if (step->partition)
			json_object_object_add(row, "partition", partition_json(step->partition));
		json_object_array_add(rows, row);
	}
	return rows;
}

void plan_add_json(struct json_object *document, const struct mortise_plan *plan)
{
	struct json_object *notes = json_object_new_array();
	const char *note;

	for (size_t i = 0; plan && (note = mortise_plan_note(plan, i)); i++)
		json_object_array_add(notes, json_object_new_string(note));
	json_object_object_add(document, "notes", notes);
	json_object_object_add(document, "steps", steps_json(plan));
}

enum status plan_status(const struct mortise_plan *plan)
{
	const struct mortise_step *step;

	for (size_t i = 0; (step = mortise_plan_step(plan, i)); i++) {
		if (step->kind == MORTISE_STEP_REFUSE || step->kind == MORTISE_STEP_FAIL)
			return STATUS_PARTLY;
	}
	return STATUS_OK;
}
