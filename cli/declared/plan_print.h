/* SPDX-License-Identifier: MIT */
/* How plan and apply show a plan. */
#ifndef CLI_PLAN_PRINT_H
#define CLI_PLAN_PRINT_H

#include "cli/declared/volumes.h"

void plan_print(const struct mortise_plan *plan);
/* On standard error, unless -q. */
void plan_print_notes(const struct command *c, const struct mortise_plan *plan);
/* Adds "notes" and "steps"; plan may be NULL. */
void plan_json(struct json_object *document, const struct mortise_plan *plan);
/* A plan that cannot be carried out to its end is no success. */
enum status plan_judge(const struct mortise_plan *plan);

#endif
