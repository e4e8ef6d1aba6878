/* SPDX-License-Identifier: MIT */
/* Which volumes lack a partition, which disk is the system disk, and the steps. */
#include "declared/plan_partition.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/selector/selector.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/state_store.h"
#include "disk/partition.h"
#include "disk/place.h"

#define MIB (UINT64_C(1) << 20)

void partition_layout_free(struct partition_layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->disk_count; i++)
		gpt_free(&layout->disks[i].gpt);
	free(layout->disks);
	free(layout->partitions);
	disk_list_clear(&layout->list);
	free(layout);
}

static const char *given_meta(const struct mortise_up_options *options)
{
	for (size_t i = 0; i < options->device_count; i++)
		if (!strcmp(options->devices[i].name, PARTITION_META))
			return options->devices[i].device;
	return NULL;
}

/* Does no partition have the label, on any disk? */
static bool is_unlabeled(const char *label)
{
	struct disk_labeled found;
	struct mortise_error ignored;

	return !disk_list_labeled(label, &found, &ignored) && !found.count;
}

static bool lacks_partition(const struct config_volume *volume,
			    const struct mortise_up_options *options)
{
	return volume_has_place(volume) && !volume_given_device(volume, options) &&
	       is_unlabeled(volume->id);
}

/* META describes the keys of STATE. Talos has it on every machine. */
static bool lacks_meta(const struct config_volume *state, const struct mortise_up_options *options)
{
	return !given_meta(options) && is_unlabeled(PARTITION_META) &&
	       (state->encrypted || lacks_partition(state, options));
}

/* Lists the partitions that are missing, without places. */
static enum mortise_code list_missing(const struct mortise_plan *plan,
				      const struct mortise_up_options *options,
				      struct partition_layout *layout, struct mortise_error *err)
{
	layout->partitions = calloc(plan->count + 1, sizeof(*layout->partitions));
	if (!layout->partitions)
		return error_memory(err);
	for (size_t i = 0; i < plan->count; i++) {
		const struct config_volume *volume = plan->volumes[i]->volume;

		if (volume_is_state(volume) && lacks_meta(volume, options))
			layout->partitions[layout->count++].volume = NULL;
		if (lacks_partition(volume, options))
			layout->partitions[layout->count++].volume = volume;
	}
	return MORTISE_OK;
}

/* The disk of the partition device, which has this label; "" and layout->why if there is none. */
static void use_disk_of(struct partition_layout *layout, const char *label, const char *device,
			char path[static VOLUME_PATH_MAX])
{
	struct disk_place place;

	disk_place_read(device, &place);
	snprintf(path, VOLUME_PATH_MAX, "%s", place.disk);
	if (!*path)
		snprintf(layout->why, sizeof(layout->why),
			 "the system disk is unknown, because %s (%.200s) is not a partition",
			 label, device);
}

/* STATE and META show the system disk of an installed machine. False: there is none yet. */
static bool find_installed(const struct mortise_up_options *options,
			   struct partition_layout *layout, char path[static VOLUME_PATH_MAX])
{
	static const char *const labels[] = { CONFIG_STATE, PARTITION_META };
	char device[VOLUME_PATH_MAX];
	struct disk_labeled found;
	struct mortise_error why;

	path[0] = '\0';
	if (!volume_locate(&volume_state, options, device, sizeof(device), &why)) {
		use_disk_of(layout, CONFIG_STATE, device, path);
		return true;
	}
	if (given_meta(options)) {
		use_disk_of(layout, PARTITION_META, given_meta(options), path);
		return true;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (disk_list_labeled(labels[i], &found, &why) || !found.count)
			continue;
		if (found.count == 1) {
			use_disk_of(layout, labels[i], found.path[0], path);
		} else {
			(void)disk_labeled_error(&found, labels[i], labels[i], &why);
			snprintf(layout->why, sizeof(layout->why),
				 "the system disk is unknown: %.300s", why.text);
		}
		return true;
	}
	return false;
}

/* The only disk that machine.install.diskSelector matches; "" and layout->why otherwise. */
static void select_disk(const char *expression, struct partition_layout *layout,
			char path[static VOLUME_PATH_MAX])
{
	struct config_selector *selector = NULL;
	struct mortise_error why;
	char names[200] = "";
	size_t used = 0, count = 0;
	enum mortise_code code = config_selector_parse(expression, &selector, &why);

	for (size_t i = 0; !code && i < layout->list.count; i++) {
		const struct disk_facts *facts = &layout->list.disk[i]->facts;
		bool matches;

		code = config_selector_matches(selector, facts, &matches, &why);
		if (code || !matches)
			continue;
		snprintf(path, VOLUME_PATH_MAX, "%s", facts->dev_path);
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", facts->dev_path);
		count++;
	}
	config_selector_free(selector);
	if (!code && count == 1)
		return;
	path[0] = '\0';
	snprintf(layout->why, sizeof(layout->why),
		 "machine.install.diskSelector matches %s%s; use --system-disk /dev/X",
		 count ? "several disks: " : "no disk", code ? "" : names);
}

/* An operator who names the system disk must not mean another one. */
static enum mortise_code check_wanted(const char *wanted, const char *installed,
				      struct mortise_error *err)
{
	char real[PATH_MAX];

	if (!wanted || !*installed)
		return MORTISE_OK;
	if (!realpath(wanted, real))
		return error_set(err, MORTISE_E_DEVICE, errno, "system disk %s", wanted);
	if (!strcmp(real, installed))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "%s is not the system disk of this machine: STATE or META is on %s",
			 wanted, installed);
}

/* Finds the path of the system disk; "" and layout->why if it is unknown. */
static void find_system_path(const struct volume_run *run, struct partition_layout *layout,
			     char path[static VOLUME_PATH_MAX])
{
	const struct config_install *install = &run->config->install;
	const char *wanted = run->options->system_disk;

	if (wanted || install->disk)
		snprintf(path, VOLUME_PATH_MAX, "%s", wanted ? wanted : install->disk);
	else if (install->selector)
		select_disk(install->selector, layout, path);
	else
		snprintf(layout->why, sizeof(layout->why),
			 "the system disk is unknown; use --system-disk /dev/X, or "
			 "machine.install.disk in the configuration");
}

/* Sets layout->system, and makes the selectors see it. A disk that is not listed is added. */
static enum mortise_code find_system(const struct volume_run *run, struct partition_layout *layout,
				     const struct disk **system, struct mortise_error *err)
{
	const char *wanted = run->options->system_disk;
	char path[VOLUME_PATH_MAX] = "";
	enum mortise_code code = MORTISE_OK;
	struct disk *disk = NULL;
	struct mortise_error why;

	*system = NULL;
	if (find_installed(run->options, layout, path))
		code = check_wanted(wanted, path, err);
	else
		find_system_path(run, layout, path);
	if (code || !*path)
		return code;
	code = disk_list_add(&layout->list, path, &disk, &why);
	if (code == MORTISE_E_MEMORY)
		return error_memory(err);
	if (code && wanted)
		return error_set(err, code, 0, "system disk: %.300s", why.text);
	if (code) {
		snprintf(layout->why, sizeof(layout->why), "the system disk: %.300s", why.text);
		return MORTISE_OK;
	}
	for (size_t i = 0; i < layout->list.count; i++) {
		layout->list.disk[i]->facts.system = layout->list.disk[i] == disk;
		layout->list.disk[i]->facts.system_known = true;
	}
	*system = disk;
	return MORTISE_OK;
}

static enum mortise_code examine_disks(const struct volume_run *run,
				       struct partition_layout *layout, const struct disk *system,
				       struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	layout->disks = calloc(layout->list.count + 1, sizeof(*layout->disks));
	if (!layout->disks)
		return error_memory(err);
	for (size_t i = 0; !code && i < layout->list.count; i++) {
		struct disk_candidate *candidate = &layout->disks[layout->disk_count++];

		code = disk_examine(&layout->list.disk[i]->facts, &run->events, candidate, err);
		if (layout->list.disk[i] == system)
			layout->system = candidate;
	}
	disk_refuse_copies(layout->disks, layout->disk_count);
	return code;
}

enum mortise_code partition_layout_make(const struct volume_run *run, struct mortise_plan *plan,
					struct mortise_error *err)
{
	struct partition_layout *layout;
	const struct disk *system;
	enum mortise_code code;

	if (!run->options->provision || run->open_only)
		return MORTISE_OK;
	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return error_memory(err);
	code = list_missing(plan, run->options, layout, err);
	if (code || (!layout->count && !run->options->system_disk))
		goto out;
	code = disk_list_read("", &layout->list, err);
	if (!code)
		code = find_system(run, layout, &system, err);
	if (code || !layout->count)
		goto out;
	if (!code)
		code = examine_disks(run, layout, system, err);
	if (!code)
		code = partition_layout_choose(layout, err);
	if (code)
		goto out;
	plan->layout = layout;
	return MORTISE_OK;
out:
	partition_layout_free(layout);
	return code;
}

void partition_show(struct partition_planned *partition, struct mortise_step *step)
{
	partition->shown = (struct mortise_partition){
		.disk = partition->disk->facts->dev_path,
		.number = partition->place.number,
		.start = partition->start,
		.size = partition->size,
		.label = partition->rule.label,
		.type = partition->type,
	};
	step->partition = &partition->shown;
	step->device = partition->device;
}

static enum mortise_code add_step(struct volume_plan *plan, struct partition_planned *partition,
				  struct mortise_error *err)
{
	struct volume_step *step = volume_plan_add(
		plan, MORTISE_STEP_PARTITION, -1,
		"create partition %u of %s, labeled %s: %" PRIu64 " MiB at %" PRIu64 " MiB%s",
		partition->place.number, partition->disk->facts->dev_path, partition->rule.label,
		partition->size / MIB, partition->start / MIB,
		partition->disk->blank && partition->place.number == 1
			? ", in a new partition table"
			: "");

	if (!step)
		return error_memory(err);
	step->partition = partition;
	return MORTISE_OK;
}

/* Adds the step, or says why there is none. */
static enum mortise_code add_creation(struct volume_plan *plan, struct partition_planned *partition,
				      struct mortise_error *err)
{
	if (partition->disk)
		return add_step(plan, partition, err);
	return VOLUME_PLAN_ADD(
		plan, err, partition->refused ? MORTISE_STEP_REFUSE : MORTISE_STEP_FAIL, -1,
		"cannot create the partition %s: %s", partition->rule.label, partition->why);
}

enum mortise_code partition_plan_meta(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	struct partition_planned *meta = partition_find(run->layout, NULL);

	/* If the system disk is unknown, another message says so. */
	if (!meta || meta->created || !volume_is_state(plan->volume) ||
	    !(meta->disk || meta->refused))
		return MORTISE_OK;
	meta->wanted = true;
	return add_creation(plan, meta, err);
}

bool partition_plans_meta(const struct mortise_plan *plan)
{
	const struct partition_planned *meta = partition_find(plan->layout, NULL);

	return meta && meta->disk;
}

/*
 * A known volume may be on a disk that is late, or was taken out: a second one would be used in its
 * place from then on. False: why is in text.
 */
static bool check_known(struct volume_run *run, struct volume_plan *plan, char *text, size_t room)
{
	const struct config_volume *volume = plan->volume;
	struct known_volume known;
	const bool found = run->known.state == KNOWN_LISTED && !volume_is_state(volume) &&
			   known_find(&run->known.list, volume->id, &known) &&
			   known.status != KNOWN_EXPECTED;

	if (found && run->options->recreate && !plan->was_unlisted) {
		snprintf(plan->replaces, sizeof(plan->replaces),
			 "; it replaces the known volume %s (UUID %s)", known.id,
			 *known.uuid ? known.uuid : "unknown");
		return true;
	}
	if (run->known.state == KNOWN_LISTED && run->known.why.code) {
		snprintf(text, room, "%.200s; run the command again", run->known.why.text);
		return false;
	}
	if (found)
		snprintf(
			text, room,
			"%s was on this machine (PARTUUID %s) and is missing: connect its disk, or "
			"give up its data with `mortise apply --recreate`%s",
			known.id, *known.partuuid ? known.partuuid : "unknown",
			run->options->recreate ? "; STATE was not mounted when the plan was made: "
						 "run the command again"
					       : "");
	return !found;
}

enum mortise_code partition_plan_missing(struct volume_run *run, struct volume_plan *plan,
					 const struct mortise_error *why, bool *created,
					 struct mortise_error *err)
{
	struct partition_planned *partition = partition_find(run->layout, plan->volume);
	char text[400];
	enum mortise_code code;

	*created = false;
	if (!partition)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why->text);
	plan->listed = run->known.state == KNOWN_LISTED;
	if (!check_known(run, plan, text, sizeof(text)))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", text);
	code = partition_plan_meta(run, plan, err);
	if (!code && !plan->failed)
		code = add_creation(plan, partition, err);
	if (code || plan->failed)
		return code;
	plan->partition = partition;
	snprintf(plan->device, sizeof(plan->device), "%s", partition->device);
	*created = true;
	return MORTISE_OK;
}

void partition_add_planned(const struct partition_layout *layout, const char *disk, struct gpt *gpt)
{
	struct mortise_error ignored;

	for (size_t i = 0; layout && i < layout->count; i++) {
		const struct partition_planned *partition = &layout->partitions[i];

		/* The table has it already, if it was created. */
		if (partition->disk && !strcmp(partition->disk->facts->dev_path, disk) &&
		    gpt_place(gpt, &partition->place, &ignored))
			continue;
	}
}
