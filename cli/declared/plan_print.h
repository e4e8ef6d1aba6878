/* SPDX-License-Identifier: MIT */
/* Output of a plan, for plan and apply. */
#ifndef CLI_PLAN_PRINT_H
#define CLI_PLAN_PRINT_H

#include <mortise-declared.h>

#include <json-c/json.h>

#include "cli/command.h"

/* Prints the steps as a table. */
void plan_print(const struct mortise_plan *plan);
/* Prints the notes to standard error, unless -q was given. */
void plan_print_notes(const struct command *c, const struct mortise_plan *plan);
/* Adds "notes" and "steps"; plan may be NULL. */
void plan_add_json(struct json_object *document, const struct mortise_plan *plan);
/* STATUS_PARTLY if the plan refuses a volume or failed for one, else STATUS_OK. */
enum status plan_status(const struct mortise_plan *plan);

#endif
