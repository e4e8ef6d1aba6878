/* SPDX-License-Identifier: MIT */
/* up: open and mount the declared volumes. */
#include "cli/declared/opened.h"
#include "cli/declared/report.h"
#include "cli/declared/up_console.h"
#include "cli/verbs.h"

enum status run_up(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct up_console console;
	struct volumes volumes;
	enum status status;

	status = up_console_begin(c, &volumes, &console);
	if (status != STATUS_OK)
		return status;
	err.code = mortise_up(volumes.config, &volumes.options, volumes.plan, &report, &err);
	opened_add(&volumes, report);
	status = report_print(c, &volumes, report, MORTISE_PHASE_READY, &err);
	mortise_report_free(&report);
	volumes_close(&volumes);
	return status;
}
