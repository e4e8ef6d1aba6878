/* SPDX-License-Identifier: MIT */
/* continue: re-encrypt declared volumes while they are in use. */
#include "cli/declared/report.h"
#include "cli/declared/up_console.h"
#include "cli/print.h"
#include "cli/verbs.h"

enum status run_continue(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct up_console console;
	struct volumes volumes;
	enum status status;

	status = up_console_begin(c, &volumes, &console);
	if (status != STATUS_OK)
		return status;
	err.code = mortise_continue(volumes.config, &volumes.options,
				    option_number(&c->options, OPTION_LIMIT_RATE), &report, &err);
	if (err.code == MORTISE_OK && !volumes.json && !mortise_report_volume(report, 0))
		print("No volume is being re-encrypted.\n");
	else
		status = report_print(c, &volumes, report, MORTISE_PHASE_READY, &err);
	mortise_report_free(&report);
	volumes_close(&volumes);
	return status;
}
