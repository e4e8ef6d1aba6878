/* SPDX-License-Identifier: MIT */
/* plan: show the steps that up would execute. Changes nothing. */
#include <stdio.h>

#include "cli/declared/json.h"
#include "cli/declared/plan_print.h"
#include "cli/declared/volumes.h"
#include "cli/output.h"
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
	err.code = mortise_plan_make(volumes.config, &volumes.options, &volumes.plan, &err);
	if (err.code != MORTISE_OK) {
		status = volumes_fail(c, &err);
	} else {
		status = plan_status(volumes.plan);
		plan_print_notes(c, volumes.plan);
		if (!mortise_config_is_complete(volumes.config))
			print_to(stderr, PRINT_NOTICE
				 "mortise: note: STATE is not open; the plan lacks the "
				 "volumes that the configuration in STATE declares\n");
	}
	if (volumes.json) {
		document = json_document(volumes.config, c->verb->name);
		plan_add_json(document, volumes.plan);
		json_add_error(document, &err);
		printed = json_print(document);
	} else if (volumes.plan) {
		plan_print(volumes.plan);
	}
	volumes_close(&volumes);
	return status == STATUS_OK ? printed : status;
}
