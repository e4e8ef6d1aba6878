/* SPDX-License-Identifier: MIT */
/* Steps that refuse a device because of its contents, and their remedies. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/locate.h"
#include "declared/plan.h"
#include "disk/geometry.h"
#include "disk/uuids.h"

enum mortise_code volume_plan_refuse(const struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err, const char *format, ...)
{
	char command[VOLUME_RESET_COMMAND], what[MORTISE_ERROR_TEXT], advice[MORTISE_ERROR_TEXT];
	const struct disk_probe *probe = &plan->probe;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (disk_header_is_damaged(probe)) {
		disk_repair_advice(probe, plan->device, advice, sizeof(advice));
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1, "%s; %s", what, advice);
	}
	if (probe->unknown &&
	    (run->known.state == KNOWN_LATER || run->known.state == KNOWN_MISSING))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "%s; STATE, which may hold its header, is not mounted",
				       what);
	volume_reset_command(run, plan->volume, plan->device, command);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1, "%s; to erase it, run `%s`",
			       what, command);
}

enum mortise_code volume_plan_check_format(const struct volume_run *run, struct volume_plan *plan,
					   struct mortise_error *err)
{
	struct mortise_error why;

	plan->shared = volume_label_is_shared(plan->volume, run->options, &why);
	if (!volume_plan_is_unformatted(plan) ||
	    (!plan->volume->encrypted && plan->volume->filesystem == CONFIG_FS_NONE))
		return MORTISE_OK;
	if (disk_is_readonly(plan->device))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is not formatted: it is write-protected", plan->device);
	if (!plan->shared)
		return MORTISE_OK;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s is not formatted: %s",
			       plan->device, why.text);
}

bool volume_plan_is_on_known_partition(const struct volume_run *run, const struct volume_plan *plan,
				       const char *known, char *what, size_t room)
{
	char partuuid[DISK_UUID_ROOM];
	struct mortise_error why;

	/* An open volume was compared when it was opened. */
	if (!plan->shared || !*known || plan->mounted || !mortise_is_active(plan->mapping, &why))
		return true;
	disk_partition_uuid(plan->device, partuuid);
	if (!strcmp(partuuid, known) || !volume_label_is_shared(plan->volume, run->options, &why))
		return true;
	snprintf(what, room,
		 "%.100s is not the partition of %s on this machine (PARTUUID %s): %.190s",
		 plan->device, plan->volume->id, known, why.text);
	return false;
}
