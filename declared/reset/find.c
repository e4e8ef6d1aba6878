/* SPDX-License-Identifier: MIT */
/* Finding the volumes to reset, by device or label. No configuration is needed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "declared/locate.h"
#include "disk/partition.h"
#include "declared/meta_state.h"
#include "declared/reset/reset.h"
#include "declared/state_store.h"
#include "disk/users.h"

#define SIZE_MIN 4096u /* bytes; anything smaller cannot be a volume */

const char *reset_content_text(const struct disk_probe *probe)
{
	switch (probe->content) {
	case DISK_EMPTY:
		return "nothing";
	case DISK_UNFINISHED:
		return "an interrupted format";
	default:
		return probe->type;
	}
}

/* Finds the user, raw or swap volume with this name. */
static enum mortise_code find_prefixed(struct reset_target *target, struct mortise_error *err)
{
	static const char *const prefixes[] = { "u-", "r-", "s-" };
	char label[sizeof(target->label)], other[VOLUME_PATH_MAX];
	const char *name = target->name;
	enum mortise_code code;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		snprintf(label, sizeof(label), "%s%s", prefixes[i], name);
		code = disk_find_label(label, name, other, sizeof(other), err);
		if (code && (code != MORTISE_E_DEVICE || *other))
			return code;
		if (code)
			continue;
		if (*target->label)
			return error_set(err, MORTISE_E_DEVICE, 0,
					 "the name is ambiguous: it matches the volumes %s and %s; "
					 "use the label instead",
					 target->label, label);
		snprintf(target->label, sizeof(target->label), "%s", label);
		snprintf(target->device, sizeof(target->device), "%s", other);
	}
	if (*target->label)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "no system volume has this name, and no partition is labeled u-%s, r-%s "
			 "or s-%s; use --device %s=/dev/X",
			 name, name, name, name);
}

static enum mortise_code find_path(const struct mortise_reset_options *options,
				   struct reset_target *target, struct mortise_error *err)
{
	const char *name = target->name;
	const char *given = volume_device_named(options->devices, options->device_count, name);

	if (volume_is_label(name))
		snprintf(target->label, sizeof(target->label), "%s", name);
	if (!given)
		return *target->label ? disk_find_label(name, name, target->device,
							sizeof(target->device), err)
				      : find_prefixed(target, err);
	if (strlen(given) >= sizeof(target->device))
		return error_set(err, MORTISE_E_DEVICE, ENAMETOOLONG, "%.100s...", given);
	snprintf(target->device, sizeof(target->device), "%s", given);
	target->given = true;
	return MORTISE_OK;
}

/* A partition table that was written over a volume is not a reason to reset the partitions. */
static enum mortise_code refuse_partitions(const struct reset_target *target,
					   const char *partitions, struct mortise_error *err)
{
	char advice[MORTISE_ERROR_TEXT];

	if (!disk_header_is_damaged(&target->probe))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "%s has partitions (%s); reset these instead", target->device,
				 partitions);
	disk_repair_advice(&target->probe, target->device, advice, sizeof(advice));
	return error_set(err, MORTISE_E_USAGE, 0, "%s has partitions (%s), but holds %s; %.300s",
			 target->device, partitions, target->probe.type, advice);
}

static enum mortise_code examine_target(struct reset_target *target,
					const struct mortise_events *events,
					struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	char partitions[160];
	enum mortise_code code;

	code = luks2_device_open(target->device, false, &device, err);
	if (code)
		return code;
	target->number = device->number;
	target->inode = device->inode;
	target->size = device->size;
	target->in_use = disk_in_use(device);
	if (device->size < SIZE_MIN)
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "%s has %" PRIu64 " bytes: too small for a volume", device->path,
				 device->size);
	else
		code = disk_probe(target->device, events, &target->probe, err);
	if (!code && disk_partitions(device, partitions, sizeof(partitions)))
		code = refuse_partitions(target, partitions, err);
	luks2_device_close(device);
	return code;
}

static bool is_same_device(const struct reset_target *a, const struct reset_target *b)
{
	return a->number == b->number && a->inode == b->inode;
}

static enum mortise_code find_target(const struct mortise_reset_options *options, const char *name,
				     struct mortise_reset *reset, struct mortise_error *err)
{
	struct reset_target *target = &reset->targets[reset->count];
	enum mortise_code code;

	if (!*name || strlen(name) > MORTISE_NAME_MAX || strchr(name, '/'))
		return error_set(err, MORTISE_E_USAGE, 0, "\"%.40s\" is not a valid volume name",
				 name);
	if (!strcmp(name, META_LABEL))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "META cannot be reset; to remove an entry, run `mortise meta "
				 "delete`");
	snprintf(target->name, sizeof(target->name), "%s", name);
	code = find_path(options, target, err);
	if (!code)
		code = examine_target(target, options->events, err);
	if (code) {
		error_prefix(err, "%s", name);
		return code;
	}
	for (size_t i = 0; i < reset->count; i++)
		if (is_same_device(&reset->targets[i], target))
			return error_set(err, MORTISE_E_USAGE, 0,
					 "%s and %s are the same device: %s",
					 reset->targets[i].name, name, target->device);
	reset->count++;
	return MORTISE_OK;
}

static bool is_named(const struct mortise_reset_options *options, const char *name)
{
	for (size_t i = 0; i < options->name_count; i++)
		if (!strcmp(options->names[i], name))
			return true;
	return false;
}

/*
 * A device for a volume that is not reset is a mistake that could destroy another volume. META and
 * STATE describe the volumes of the machine.
 */
static enum mortise_code check_devices(const struct mortise_reset_options *options,
				       struct mortise_error *err)
{
	for (size_t i = 0; i < options->device_count; i++)
		if (strcmp(options->devices[i].name, META_LABEL) != 0 &&
		    strcmp(options->devices[i].name, CONFIG_STATE) != 0 &&
		    !is_named(options, options->devices[i].name))
			return error_set(err, MORTISE_E_USAGE, 0,
					 "a device is given for \"%s\", which is not among the "
					 "volumes to reset",
					 options->devices[i].name);
	return MORTISE_OK;
}

void reset_find_state(const struct mortise_reset_options *options, struct mortise_reset *reset)
{
	const struct mortise_up_options where = { .devices = options->devices,
						  .device_count = options->device_count };
	struct mortise_error ignored;

	if (volume_locate(&volume_state, &where, reset->state, sizeof(reset->state), &ignored))
		reset->state[0] = '\0';
}

static enum mortise_code find_meta(const struct mortise_reset_options *options,
				   struct mortise_reset *reset, struct mortise_error *err)
{
	const struct volume_devices devices = { options->devices, options->device_count };
	struct volume_meta_place place;
	struct mortise_meta *meta = NULL;
	enum mortise_code code;

	if (!is_named(options, CONFIG_STATE))
		return MORTISE_OK;
	code = volume_meta_find(&devices, &place, err);
	/* Not every machine has META. If META cannot be read, fail before STATE is wiped. */
	if (code || !*place.path || place.foreign)
		return code;
	code = mortise_meta_read(place.path, options->events, &meta, err);
	if (code)
		return code;
	snprintf(reset->meta, sizeof(reset->meta), "%s", place.path);
	reset->meta_has_state = mortise_meta_find(meta, MORTISE_META_STATE_ENCRYPTION) != NULL;
	mortise_meta_free(&meta);
	return MORTISE_OK;
}

enum mortise_code mortise_reset_find(const struct mortise_reset_options *options,
				     struct mortise_reset **out, struct mortise_error *err)
{
	struct mortise_reset_options wanted;
	struct mortise_reset *reset;
	enum mortise_code code;

	*out = NULL;
	code = sized_input(SIZED(mortise_reset_options), &wanted, options, err);
	if (code)
		return code;
	if (!wanted.name_count)
		return error_set(err, MORTISE_E_USAGE, 0, "no volume to reset is given");
	code = check_devices(&wanted, err);
	if (code)
		return code;
	reset = calloc(1, sizeof(*reset));
	if (!reset)
		return error_memory(err);
	reset->full = wanted.full;
	reset->drop = wanted.drop;
	reset->erases_state = is_named(&wanted, CONFIG_STATE);
	reset_find_state(&wanted, reset);
	reset->events = wanted.events;
	reset->targets = calloc(wanted.name_count, sizeof(*reset->targets));
	if (!reset->targets) {
		code = error_memory(err);
		goto out;
	}
	for (size_t i = 0; !code && i < wanted.name_count; i++)
		code = find_target(&wanted, wanted.names[i], reset, err);
	for (size_t i = 0; !code && reset->drop && i < reset->count; i++)
		code = reset_check_drop(reset, &reset->targets[i], err);
	if (code)
		goto out;
	code = find_meta(&wanted, reset, err);
	if (code)
		goto out;
	*out = reset;
	reset = NULL;
out:
	mortise_reset_free(&reset);
	return code;
}

void mortise_reset_free(struct mortise_reset **address)
{
	struct mortise_reset *reset = address ? *address : NULL;

	if (!reset)
		return;
	*address = NULL;
	free(reset->targets);
	free(reset);
}

const struct mortise_reset_target *mortise_reset_target(const struct mortise_reset *reset, size_t i)
{
	struct reset_target *target;

	if (i >= reset->count)
		return NULL;
	target = &reset->targets[i];
	target->shown = (struct mortise_reset_target){
		.name = target->name,
		.device = target->device,
		.content = reset_content_text(&target->probe),
		.size = target->size,
		.in_use = target->in_use,
	};
	return &target->shown;
}

const char *mortise_reset_meta(const struct mortise_reset *reset)
{
	return reset->meta_has_state ? reset->meta : NULL;
}
