/* SPDX-License-Identifier: MIT */
/* Comparing volumes with their plans, and planning those again that have changed or waited. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/partition.h"
#include "declared/plan_partition.h"
#include "declared/plan_reencrypt.h"
#include "disk/mount.h"
#include "disk/partition.h"
#include "volume/activate.h"

/* NULL: the header is unchanged. */
static const char *describe_header_change(const struct volume_run *run,
					  const struct volume_plan *plan)
{
	const struct mortise_location location = volume_plan_location(plan, true, &run->events);
	struct mortise_luks2 *now = NULL;
	struct mortise_error ignored;
	const char *what = NULL;

	if (mortise_luks2_load(&location, &now, &ignored))
		return "its header cannot be read";
	if (strcmp(luks2_header_uuid(now), luks2_header_uuid(plan->header)) != 0)
		what = "it has another header";
	/* Of an open volume, another process continues the reencryption. */
	else if (!luks2_header_equal(now, plan->header) &&
		 !(plan->active && volume_in_reencryption(plan) &&
		   luks2_online_reencrypt_count(luks2_header_metadata(now))))
		what = "its header was updated";
	mortise_luks2_free(&now);
	return what;
}

/* NULL: mapping and mount are unchanged. */
static const char *describe_mapping_change(const struct volume_run *run,
					   const struct volume_plan *plan)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct mortise_error ignored;
	char node[MORTISE_NAME_MAX + 16];
	enum mortise_code code;
	bool tableless, mounted;

	code = volume_mapping_info(plan->mapping, &mapping, &ignored);
	tableless =
		code && plan->header && volume_mapping_is_tableless(plan->header, plan->mapping);
	if (tableless != plan->tableless_mapping || !code != plan->active ||
	    (!code && !disk_mapping_is_on(&mapping, plan->device)))
		return code ? "it was closed" : "it was opened";
	/* Other programs may use an unencrypted raw volume freely. */
	if (!plan->volume->encrypted && plan->volume->filesystem == CONFIG_FS_NONE)
		return NULL;
	snprintf(node, sizeof(node), "/dev/mapper/%s", plan->mapping);
	if (plan->volume->encrypted)
		mounted = plan->active &&
			  disk_is_mounted(node, run->options->root, plan->mount_point);
	else
		mounted = disk_is_mounted(plan->device, run->options->root, plan->mount_point);
	if (mounted != plan->mounted)
		return mounted ? "it was mounted" : "it was unmounted";
	return NULL;
}

bool volume_plan_is_current(const struct volume_run *run, const struct volume_plan *plan,
			    const char **what)
{
	char device[VOLUME_PATH_MAX];
	const struct disk_probe *planned =
		plan->reset == RESET_ERASE ? &plan->erased : &plan->probe;
	struct disk_probe probe = { .content = DISK_EMPTY };
	struct mortise_error ignored;

	*what = NULL;
	if (volume_plan_locate(run, plan->volume, device, sizeof(device), &ignored))
		device[0] = '\0';
	/* This run has still to create its partition. */
	if (plan->partition && !plan->partition->created && !*device)
		return true;
	if (strcmp(device, plan->device) != 0) {
		*what = *device ? "it is on another device" : "its device is missing";
		return false;
	}
	if (volume_label_is_shared(plan->volume, run->options, &ignored) && !plan->shared) {
		*what = "another partition has its label";
		return false;
	}
	/* The device was missing and still is, or cannot be read: there is nothing to compare. */
	if (!*device || disk_probe(device, &run->events, &probe, &ignored))
		return true;
	if (probe.content != planned->content || strcmp(probe.type, planned->type) != 0)
		*what = "its contents are different";
	else if (plan->header)
		*what = describe_header_change(run, plan);
	/* A failed plan does not open the volume, so it does not depend on mapping and mount. */
	if (!*what && !plan->failed)
		*what = describe_mapping_change(run, plan);
	return !*what;
}

/* "open /dev/vdb as luks2-STATE with keyslot 0; mount ..." */
static void list_steps(const struct volume_plan *plan, char *text, size_t room)
{
	size_t used = 0;

	snprintf(text, room, "nothing to do");
	for (size_t i = 0; i < plan->step_count && used + 1 < room; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", used ? "; " : "",
					 plan->steps[i].text);
}

static void report_steps(struct volume_run *run, const struct volume_plan *plan, const char *why,
			 char *text, size_t room)
{
	char steps[800];

	list_steps(plan, steps, sizeof(steps));
	snprintf(text, room, "%s: %s", why, steps);
	volume_run_notify(run, plan->volume->name, text);
}

/* Does the plan overwrite the contents of the device? */
static bool overwrites(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_FORMAT ||
		    plan->steps[i].kind == MORTISE_STEP_MKFS)
			return true;
	return false;
}

static bool is_empty(const struct volume_plan *plan)
{
	return *plan->device &&
	       (plan->probe.content == DISK_EMPTY || plan->probe.content == DISK_UNFINISHED);
}

/* Drops the decisions and adds a step that says why. */
static enum mortise_code refuse_format(struct volume_plan *plan, struct mortise_error *err)
{
	const struct disk_probe probe = plan->probe;
	char device[VOLUME_PATH_MAX];

	snprintf(device, sizeof(device), "%s", plan->device);
	volume_plan_clear_decisions(plan);
	snprintf(plan->device, sizeof(plan->device), "%s", device);
	plan->probe = probe;
	plan->planned = true;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
			       "not formatted: %s is empty now, but was not when the plan was "
			       "made; run the command again",
			       plan->device);
}

/* A plan that preserves the contents of a device never becomes one that formats it. */
static enum mortise_code plan_again(struct volume_run *run, struct volume_plan *plan,
				    struct mortise_error *err)
{
	const bool was_empty = is_empty(plan);
	enum mortise_code code = volume_plan_make(run, plan, err);

	if (!code && !was_empty && is_empty(plan) && overwrites(plan) && plan->reset != RESET_ERASE)
		code = refuse_format(plan, err);
	return code;
}

static enum mortise_code refresh_plan(struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	const char *what;
	char why[160];
	enum mortise_code code;

	if (volume_plan_is_current(run, plan, &what))
		return MORTISE_OK;
	code = plan_again(run, plan, err);
	if (code)
		return code;
	snprintf(why, sizeof(why), "changed since the plan was made (%s); planned again", what);
	report_steps(run, plan, why, plan->notice, sizeof(plan->notice));
	return MORTISE_OK;
}

enum mortise_code volume_plans_refresh(struct volume_run *run, struct mortise_plan *plans,
				       struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < plans->count; i++) {
		struct volume_plan *plan = plans->volumes[i];

		volume_plan_attach(plan, run);
		if (events_canceled(&run->events))
			code = events_cancel_error(err);
		else if (plan->planned && !plan->waits)
			code = refresh_plan(run, plan, err);
	}
	return code;
}

enum mortise_code volume_plan_second_stage(struct volume_run *run, struct volume_plan *plan,
					   struct mortise_error *err)
{
	enum mortise_code code = plan_again(run, plan, err);
	char text[sizeof(plan->notice)];

	if (!code)
		report_steps(run, plan, "planned in the second stage", text, sizeof(text));
	return code;
}
