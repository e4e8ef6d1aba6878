/* SPDX-License-Identifier: MIT */
/* up: open and mount the declared volumes. */
#include "cli/declared/up_console.h"
#include "cli/verbs.h"

enum status run_up(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct bringing bringing;
	struct volumes volumes;
	enum status status = bringing_begin(c, &volumes, &bringing);

	if (status != STATUS_OK)
		return status;
	if (mortise_up(volumes.config, &volumes.options, volumes.plan, &report, &err) == MORTISE_OK)
		err.code = MORTISE_OK;
	status = volumes_finish(c, &volumes, report, MORTISE_PHASE_READY, &err);
	volumes_close(&volumes);
	return status;
}
