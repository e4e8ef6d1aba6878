/* SPDX-License-Identifier: MIT */
#include "declared/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/selector/selector.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/plan_grow.h"

#define MIB (UINT64_C(1) << 20)

/* The sizes that Talos gives system volumes; all others get OTHER_MIN. */
static const struct {
	const char *id;
	uint64_t min;
	uint64_t max; /* 0: none */
} defaults[] = {
	{ CONFIG_STATE, 100 * MIB, 100 * MIB },
	{ "EPHEMERAL", 2048 * MIB, 0 },
	{ "IMAGECACHE", 500 * MIB, 1024 * MIB },
	{ "ETCD", 2048 * MIB, 0 },
	{ "CRI", 2048 * MIB, 0 },
	{ "KUBELET", 2048 * MIB, 0 },
	{ "LOG", 2048 * MIB, 0 },
};

#define OTHER_MIN (100 * MIB)

static void set_sizes(const struct config_volume *volume, struct partition_rule *rule)
{
	const struct config_provisioning *given = &volume->provisioning;

	rule->min = OTHER_MIN;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (volume->kind != CONFIG_VOLUME_SYSTEM || strcmp(volume->id, defaults[i].id) != 0)
			continue;
		rule->min = defaults[i].min;
		rule->max =
			(struct config_size){ .given = defaults[i].max, .value = defaults[i].max };
	}
	if (given->max.given)
		rule->max = given->max;
	if (given->min.given)
		rule->min = given->min.value;
	/* One bound that was given moves the default of the other. */
	if (rule->max.given && !rule->max.percent && !rule->max.negative &&
	    rule->max.value < rule->min && !given->min.given)
		rule->min = rule->max.value;
	if (rule->max.given && !given->max.given && rule->max.value < rule->min)
		rule->max.given = false;
}

void partition_rule_of(const struct config_volume *volume, struct partition_rule *rule)
{
	const bool swap = volume && volume->filesystem == CONFIG_FS_SWAP;

	*rule = (struct partition_rule){ .type = swap ? GPT_TYPE_SWAP : GPT_TYPE_LINUX };
	if (!volume) {
		rule->label = META_LABEL;
		rule->wave = -2;
		rule->min = PARTITION_META_SIZE;
		rule->max = (struct config_size){ .given = true, .value = PARTITION_META_SIZE };
		return;
	}
	rule->label = volume->id;
	rule->wave = volume->kind == CONFIG_VOLUME_SYSTEM ? -1 : 0;
	rule->grow = volume->provisioning.grow;
	rule->selector = volume->provisioning.selector;
	set_sizes(volume, rule);
}

/* A maximum that depends on the disk counts as infinite. */
static uint64_t absolute_max(const struct partition_rule *rule)
{
	const struct config_size *max = &rule->max;

	return !max->given || max->percent || max->negative || !max->value ? UINT64_MAX
									   : max->value;
}

int partition_rule_compare(const struct partition_rule *a, const struct partition_rule *b)
{
	if (a->wave != b->wave)
		return a->wave < b->wave ? -1 : 1;
	if (a->grow != b->grow)
		return a->grow ? 1 : -1;
	if (absolute_max(a) != absolute_max(b))
		return absolute_max(a) < absolute_max(b) ? -1 : 1;
	return strcmp(a->label, b->label);
}

uint64_t partition_size(const struct partition_rule *rule, uint64_t free, const char **why)
{
	const uint64_t unit = GPT_UNIT;
	const uint64_t least =
		rule->min > unit ? (rule->min / unit + !!(rule->min % unit)) * unit : unit;
	const uint64_t all = free / unit * unit;
	/* A maximum of 0 means the same as none. */
	const struct config_size max = { .given = rule->max.given && rule->max.value,
					 .negative = rule->max.negative,
					 .percent = rule->max.percent,
					 .value = rule->max.value };
	uint64_t size = volume_grown_size(&max, 0, all);

	if (all < least) {
		*why = "not enough space";
		return 0;
	}
	if (size >= rule->min)
		size = size / unit * unit < least ? least : size / unit * unit;
	*why = "its maximum size, of what is free, is below the minimum";
	return size >= rule->min ? size : 0;
}

struct partition_planned *partition_find(const struct partition_layout *layout,
					 const struct config_volume *volume)
{
	for (size_t i = 0; layout && i < layout->count; i++)
		if (layout->partitions[i].volume == volume)
			return &layout->partitions[i];
	return NULL;
}

/* Adds "/dev/sda: not enough space" to the reasons; "..." ends a list that is too long. */
static void add_reason(struct partition_planned *partition, const char *disk, const char *reason)
{
	const size_t used = strlen(partition->why);
	const size_t room = sizeof(partition->why) - used;

	if (room < 8)
		return;
	if ((size_t)snprintf(partition->why + used, room, "%s%s: %s", used ? "; " : "", disk,
			     reason) >= room)
		snprintf(partition->why + sizeof(partition->why) - 4, 4, "...");
}

/* False: the disk has no place; a reason was added. */
static enum mortise_code try_disk(struct partition_planned *partition, struct disk_candidate *disk,
				  bool *placed, struct mortise_error *err)
{
	const char *path = disk->facts->dev_path, *why;
	char reason[160];
	struct mortise_error full;
	uint64_t size, free;
	enum mortise_code code;

	*placed = false;
	partition->refused = true;
	if (!disk->gpt) {
		add_reason(partition, path, disk->reason);
		return MORTISE_OK;
	}
	free = gpt_largest(disk->gpt);
	size = partition_size(&partition->rule, free, &why);
	if (!size) {
		snprintf(reason, sizeof(reason),
			 "%s (%" PRIu64 " MiB free, %" PRIu64 " MiB needed)", why, free / MIB,
			 partition->rule.min / MIB + !!(partition->rule.min % MIB));
		add_reason(partition, path, reason);
		return MORTISE_OK;
	}
	code = gpt_add(disk->gpt, partition->rule.type, partition->rule.label, size,
		       &partition->place, &full);
	if (code == MORTISE_E_NO_SPACE) {
		add_reason(partition, path, full.text);
		return MORTISE_OK;
	}
	if (code) {
		*err = full;
		return code;
	}
	partition->disk = disk;
	partition->start = partition->place.first * disk->gpt->sector;
	partition->size = gpt_size(disk->gpt, &partition->place);
	gpt_guid_text(partition->place.type, partition->type);
	disk_partition_path(path, partition->place.number, partition->device,
			    sizeof(partition->device));
	*placed = true;
	return MORTISE_OK;
}

static enum mortise_code choose_system_disk(struct partition_layout *layout,
					    struct partition_planned *partition,
					    struct mortise_error *err)
{
	bool placed;

	if (layout->system)
		return try_disk(partition, layout->system, &placed, err);
	snprintf(partition->why, sizeof(partition->why), "%s", layout->why);
	return MORTISE_OK;
}

static enum mortise_code choose_selected(struct partition_layout *layout,
					 struct partition_planned *partition,
					 struct mortise_error *err)
{
	struct config_selector *selector = NULL;
	struct mortise_error why;
	bool placed = false;
	enum mortise_code code = config_selector_parse(partition->rule.selector, &selector, &why);

	for (size_t i = 0; !code && !placed && i < layout->disk_count; i++) {
		struct disk_candidate *disk = &layout->disks[i];
		bool matches;

		code = config_selector_matches(selector, disk->facts, &matches, &why);
		if (!code && matches && try_disk(partition, disk, &placed, &why))
			code = MORTISE_E_MEMORY;
	}
	config_selector_free(selector);
	if (code == MORTISE_E_MEMORY)
		return error_memory(err);
	if (code)
		snprintf(partition->why, sizeof(partition->why), "its disk selector: %.300s",
			 strstr(why.text, "system disk is unknown") ? layout->why : why.text);
	else if (!placed && !partition->refused)
		snprintf(partition->why, sizeof(partition->why),
			 "no disk matches its disk selector");
	return MORTISE_OK;
}

static int compare_planned(const void *a, const void *b)
{
	const struct partition_planned *left = a, *right = b;

	return partition_rule_compare(&left->rule, &right->rule);
}

enum mortise_code partition_layout_choose(struct partition_layout *layout,
					  struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; i < layout->count; i++) {
		struct partition_planned *partition = &layout->partitions[i];

		partition_rule_of(partition->volume, &partition->rule);
		layout->at_once |= partition->volume && volume_is_state(partition->volume);
	}
	qsort(layout->partitions, layout->count, sizeof(*layout->partitions), compare_planned);
	for (size_t i = 0; !code && i < layout->count; i++)
		code = layout->partitions[i].rule.selector
			       ? choose_selected(layout, &layout->partitions[i], err)
			       : choose_system_disk(layout, &layout->partitions[i], err);
	return code;
}
