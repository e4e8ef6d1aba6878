/* SPDX-License-Identifier: MIT */
/* status of declared volumes: the same table that up ends with. */
#include "cli/verbs.h"
#include "cli/declared/volumes.h"

enum status run_volume_status(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status;

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	if (mortise_status(volumes.config, &volumes.options, &report, &err) == MORTISE_OK)
		err.code = MORTISE_OK;
	status = volumes_finish(c, &volumes, report, MORTISE_PHASE_READY, &err);
	volumes_close(&volumes);
	return status;
}
