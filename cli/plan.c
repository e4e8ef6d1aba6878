/* SPDX-License-Identifier: MIT */
/* plan: what up would do, step by step; nothing is changed. */
#include <stdio.h>

#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/volumes.h"

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

static void print_steps(const struct mortise_plan *plan)
{
	struct table table = { .titles = titles, .count = COLUMNS };
	const char *cells[COLUMNS];
	struct mortise_step step;
	char slot[12];

	for (size_t i = 0; mortise_plan_step(plan, i, &step); i++) {
		fill_cells(&step, slot, cells);
		table_measure(&table, cells);
	}
	if (!mortise_plan_step(plan, 0, &step)) {
		printf("Nothing to do.\n");
		return;
	}
	table_print_titles(&table);
	for (size_t i = 0; mortise_plan_step(plan, i, &step); i++) {
		fill_cells(&step, slot, cells);
		table_print(&table, cells);
	}
}

static struct json_object *steps_json(const struct mortise_plan *plan)
{
	struct json_object *rows = json_object_new_array();
	struct mortise_step step;

	for (size_t i = 0; plan && mortise_plan_step(plan, i, &step); i++) {
		struct json_object *row = json_object_new_object();

		json_add_text(row, "volume", step.volume);
		json_add_text(row, "kind", mortise_step_kind_name(step.kind));
		json_add_text(row, "device", step.device);
		json_add_keyslot(row, "keyslot", step.keyslot);
		json_add_text(row, "text", step.text);
		json_object_array_add(rows, row);
	}
	return rows;
}

/* A plan that cannot be carried out to its end is no success. */
static enum status judge(const struct mortise_plan *plan)
{
	struct mortise_step step;

	for (size_t i = 0; mortise_plan_step(plan, i, &step); i++) {
		if (step.kind == MORTISE_STEP_REFUSE || step.kind == MORTISE_STEP_FAIL)
			return STATUS_PARTLY;
	}
	return STATUS_OK;
}

enum status run_plan(const struct command *c)
{
	struct mortise_plan *plan = NULL;
	struct mortise_error err = { 0 };
	enum status printed = STATUS_OK;
	struct json_object *document;
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	if (mortise_plan_make(volumes.config, &volumes.options, &plan, &err)) {
		fprintf(stderr, "mortise: ");
		status = fail(c, &err);
	} else {
		status = judge(plan);
	}
	if (volumes.json) {
		document = volumes_json(volumes.config, c->verb->name);
		json_object_object_add(document, "steps", steps_json(plan));
		json_add_error(document, &err);
		printed = json_print(document);
	} else if (plan) {
		print_steps(plan);
	}
	mortise_plan_free(plan);
	volumes_close(&volumes);
	return status == STATUS_OK ? printed : status;
}
