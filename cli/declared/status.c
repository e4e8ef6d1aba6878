/* SPDX-License-Identifier: MIT */
/* status: show the state of the declared volumes, in the table that up prints or as metrics. */
#include "cli/declared/prometheus.h"
#include "cli/declared/report.h"
#include "cli/declared/volumes.h"
#include "cli/verbs.h"

static enum status print_status(const struct command *c, struct volumes *volumes,
				struct mortise_report *report, const struct mortise_error *err)
{
	enum status status = report_print(c, volumes, report, MORTISE_PHASE_READY, err);

	mortise_report_free(&report);
	volumes_close(volumes);
	return status;
}

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
	return print_status(c, &volumes, report, &err);
}

bool run_volume_row(const struct command *c, enum status *status)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;

	if (c->as_cryptsetup || !volumes_open_quietly(c, &volumes))
		return false;
	err.code = mortise_status(volumes.config, &volumes.options, &report, &err);
	if (err.code == MORTISE_E_USAGE) {
		volumes_close(&volumes);
		return false;
	}
	*status = print_status(c, &volumes, report, &err);
	return true;
}
