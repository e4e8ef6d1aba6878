/* SPDX-License-Identifier: MIT */
/* down: unmount and close the declared volumes. */
#include "cli/declared/opened.h"
#include "cli/declared/report.h"
#include "cli/declared/volumes.h"
#include "cli/verbs.h"

enum status run_down(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	err.code = mortise_down(volumes.config, &volumes.options, &report, &err);
	status = report_print(c, &volumes, report, MORTISE_PHASE_CLOSED, &err);
	if (status == STATUS_OK && c->word_count == 0)
		opened_remove(c);
	mortise_report_free(&report);
	volumes_close(&volumes);
	return status;
}
