/* SPDX-License-Identifier: MIT */
/* A plan as a table, as JSON, and the notes that belong to it. */
#include "cli/declared/plan_print.h"

#include <stdio.h>

#include "cli/verbs.h"

#define COLUMNS 5u

static const char *const titles[COLUMNS] = { "VOLUME", "STEP", "DEVICE", "SLOT", "WHAT" };

static void fill_cells(const struct mortise_step *step, char slot[static 12],
		       const char *cells[COLUMNS])
{
	snprintf(slot, 12, "-");
	if (step->keyslot >= 0)
		snprintf(slot, 12, "%d", step->keyslot);
	cells[0] = step->volume;
	cells[1] = mortise_step_kind_name(step->kind);
	cells[2] = step->device[0] != '\0' ? step->device : "-";
	cells[3] = slot;
	cells[4] = step->text;
}

void plan_print(const struct mortise_plan *plan)
{
	struct table table = { .titles = titles, .count = COLUMNS };
	const char *cells[COLUMNS];
	const struct mortise_step *step;
	char slot[12];

	for (size_t i = 0; (step = mortise_plan_step(plan, i)); i++) {
		fill_cells(step, slot, cells);
		table_measure(&table, cells);
	}
	if (!mortise_plan_step(plan, 0)) {
		printf("Nothing to do.\n");
		return;
	}
	table_print_titles(&table);
	for (size_t i = 0; (step = mortise_plan_step(plan, i)); i++) {
		fill_cells(step, slot, cells);
		table_print(&table, cells);
	}
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
		json_object_array_add(rows, row);
	}
	return rows;
}

enum status plan_judge(const struct mortise_plan *plan)
{
	const struct mortise_step *step;

	for (size_t i = 0; (step = mortise_plan_step(plan, i)); i++) {
		if (step->kind == MORTISE_STEP_REFUSE || step->kind == MORTISE_STEP_FAIL)
			return STATUS_PARTLY;
	}
	return STATUS_OK;
}

void plan_print_notes(const struct command *c, const struct mortise_plan *plan)
{
	const char *note;

	for (size_t i = 0; (note = mortise_plan_note(plan, i)); i++)
		if (!option_set(&c->options, OPTION_BATCH_MODE))
			fprintf(stderr, "mortise: note: %s\n", note);
}

void plan_json(struct json_object *document, const struct mortise_plan *plan)
{
	struct json_object *notes = json_object_new_array();
	const char *note;

	for (size_t i = 0; plan && (note = mortise_plan_note(plan, i)); i++)
		json_object_array_add(notes, json_object_new_string(note));
	json_object_object_add(document, "notes", notes);
	json_object_object_add(document, "steps", steps_json(plan));
}
