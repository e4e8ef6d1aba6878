/* SPDX-License-Identifier: MIT */
/* plan: what up would do, step by step; nothing is changed. */
#include <stdio.h>

#include "cli/declared/plan_print.h"
#include "cli/print.h"
#include "cli/verbs.h"

enum status run_plan(const struct command *c)
{
	struct mortise_error err = { 0 };
	enum status printed = STATUS_OK;
	struct json_object *document;
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	if (mortise_plan_make(volumes.config, &volumes.options, &volumes.plan, &err)) {
		fprintf(stderr, "mortise: ");
		status = fail(c, &err);
	} else {
		status = plan_judge(volumes.plan);
		plan_print_notes(c, volumes.plan);
		if (!mortise_config_is_complete(volumes.config))
			fprintf(stderr, "mortise: note: STATE is not open: what is declared "
					"beside it is stored there\n");
	}
	if (volumes.json) {
		document = volumes_json(volumes.config, c->verb->name);
		plan_json(document, volumes.plan);
		json_add_error(document, &err);
		printed = json_print(document);
	} else if (volumes.plan) {
		plan_print(volumes.plan);
	}
	volumes_close(&volumes);
	return status == STATUS_OK ? printed : status;
}
