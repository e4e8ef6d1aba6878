/* SPDX-License-Identifier: MIT */
/* status: show the state of the declared volumes, in the table that up prints or as metrics. */
#include "cli/declared/prometheus.h"
#include "cli/declared/report.h"
#include "cli/declared/volumes.h"
#include "cli/verbs.h"

enum status run_volume_status(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK) {
		if (option_set(&c->options, OPTION_PROMETHEUS))
			(void)prometheus_print(NULL);
		return status;
	}
	err.code = mortise_status(volumes.config, &volumes.options, &report, &err);
	status = report_print(c, &volumes, report, MORTISE_PHASE_READY, &err);
	mortise_report_free(&report);
	volumes_close(&volumes);
	return status;
}
