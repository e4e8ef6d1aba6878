/* SPDX-License-Identifier: MIT */
/* The values of META that volumes need: read before STATE is open, and updated afterwards. */
#include "declared/meta_state.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "declared/locate.h"
#include "declared/state_store.h"
#include "disk/partition.h"

enum mortise_code volume_meta_find(const struct volume_devices *devices,
				   struct volume_meta_place *place, struct mortise_error *err)
{
	const char *meta = volume_device_named(devices->devices, devices->count, META_LABEL);
	const struct mortise_up_options where = { .devices = devices->devices,
						  .device_count = devices->count };
	const char *given = volume_device_named(devices->devices, devices->count, CONFIG_STATE);
	char state[VOLUME_PATH_MAX];
	struct mortise_error why;
	enum mortise_code code;

	*place = (struct volume_meta_place){ .path = "" };
	if (meta) {
		snprintf(place->path, sizeof(place->path), "%s", meta);
		return MORTISE_OK;
	}
	if (given) {
		snprintf(state, sizeof(state), "%s", given);
	} else if (volume_locate(&volume_state, &where, state, sizeof(state), &why)) {
		place->alone = disk_find_label(CONFIG_STATE, CONFIG_STATE, state, sizeof(state),
					       &why) == MORTISE_E_DEVICE &&
			       !*state;
		/* If several partitions have the label, the system disk is not known. */
		state[0] = '\0';
	}
	code = disk_find_neighbor(META_LABEL, META_LABEL, state, place->path, sizeof(place->path),
				  &why);
	if (code != MORTISE_E_DEVICE || *place->path) {
		place->alone = false;
		if (code && err)
			*err = why;
		return code;
	}
	/* The path of any other META serves for messages only. */
	place->foreign =
		!disk_find_label(META_LABEL, META_LABEL, place->path, sizeof(place->path), &why) ||
		*place->path;
	return MORTISE_OK;
}

static enum mortise_code find_meta(const struct mortise_up_options *options,
				   struct volume_meta_place *place, struct mortise_error *err)
{
	const struct volume_devices devices = { options->devices, options->device_count };

	return volume_meta_find(&devices, place, err);
}

/* *meta stays NULL if META does not exist or is not on the disk of STATE. */
static enum mortise_code read_meta(const struct mortise_up_options *options,
				   struct mortise_meta **meta, struct mortise_error *err)
{
	struct volume_meta_place place;
	enum mortise_code code = find_meta(options, &place, err);

	*meta = NULL;
	if (code || !*place.path || place.foreign)
		return code;
	return mortise_meta_read(place.path, options->events, meta, err);
}

enum mortise_code volume_meta_check(const struct mortise_up_options *options, bool *present,
				    struct mortise_error *err)
{
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, &meta, err);

	*present = meta;
	mortise_meta_free(&meta);
	return code;
}

enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
					const struct volume_meta_place *place,
					char uuid[static VOLUME_NODE_UUID_ROOM],
					struct mortise_error *err)
{
	const struct mortise_meta_entry *entry;
	struct mortise_meta *meta = NULL;
	enum mortise_code code;

	uuid[0] = '\0';
	if (!*place->path)
		return MORTISE_OK;
	code = mortise_meta_read(place->path, options->events, &meta, err);
	if (code)
		return code;
	entry = mortise_meta_find(meta, MORTISE_META_UUID_OVERRIDE);
	if (!entry)
		goto out;
	if (entry->size >= VOLUME_NODE_UUID_ROOM || memchr(entry->value, '\0', entry->size)) {
		code = error_set(err, MORTISE_E_CORRUPT, 0,
				 "META: the UUID under tag %d must be a text of less than %u bytes",
				 MORTISE_META_UUID_OVERRIDE, VOLUME_NODE_UUID_ROOM);
		goto out;
	}
	memcpy(uuid, entry->value, entry->size);
	uuid[entry->size] = '\0';
out:
	mortise_meta_free(&meta);
	return code;
}

enum mortise_code volume_meta_state_read(const struct mortise_up_options *options,
					 struct config **config, struct mortise_error *err)
{
	const struct mortise_meta_entry *entry = NULL;
	struct mortise_meta *meta = NULL;
	enum mortise_code code;

	code = read_meta(options, &meta, err);
	if (code)
		return code;
	if (meta)
		entry = mortise_meta_find(meta, MORTISE_META_STATE_ENCRYPTION);
	code = config_state_parse(entry ? entry->value : "", entry ? entry->size : 0, META_LABEL,
				  config, err);
	mortise_meta_free(&meta);
	return code;
}

const char *volume_meta_state_lack(const struct mortise_up_options *options)
{
	struct volume_meta_place place;
	struct mortise_error ignored;

	if (!find_meta(options, &place, &ignored) && !*place.path)
		return "no partition is labeled META, which describes the keys of STATE; connect "
		       "its disk, or use --device META=/dev/X";
	if (place.foreign)
		return "META is on another disk than STATE, and describes another STATE; run "
		       "`mortise up -f config.yaml`, or use --device META=/dev/X";
	return "META does not describe STATE; to restore the description, run `mortise apply -f "
	       "config.yaml`";
}

enum mortise_code volume_meta_state_store(const struct mortise_up_options *options,
					  const struct config *config, struct mortise_error *err)
{
	struct volume_meta_place place;
	enum mortise_code code = find_meta(options, &place, err);

	if (!code && *place.path && !place.foreign)
		code = mortise_meta_set(place.path, options->events, MORTISE_META_STATE_ENCRYPTION,
					mortise_secret_data(config->state_json),
					mortise_secret_size(config->state_json), err);
	if (code)
		error_prefix(err, "cannot update META; the next boot uses the keys stored there");
	return code;
}
