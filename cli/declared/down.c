/* SPDX-License-Identifier: MIT */
/* down: unmount and close the declared volumes. */
#include "cli/verbs.h"
#include "cli/declared/volumes.h"

enum status run_down(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	if (mortise_down(volumes.config, &volumes.options, &report, &err) == MORTISE_OK)
		err.code = MORTISE_OK;
	status = volumes_finish(c, &volumes, report, MORTISE_PHASE_CLOSED, &err);
	volumes_close(&volumes);
	return status;
}
