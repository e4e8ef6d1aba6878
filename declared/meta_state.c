/* SPDX-License-Identifier: MIT */
/* META where volumes need it: read before STATE is open, kept in step once it is. */
#include "declared/meta_state.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/secret.h"
#include "declared/locate.h"
#include "disk/partition.h"

#define META_LABEL "META"

static const char *given(const struct volume_devices *devices, const char *name)
{
	for (size_t i = 0; i < devices->count; i++)
		if (!strcmp(devices->devices[i].name, name))
			return devices->devices[i].device;
	return NULL;
}

static bool on_one_disk(const char *a, const char *b)
{
	char disk_a[160], disk_b[160];
	struct stat st_a, st_b;

	return !stat(a, &st_a) && !stat(b, &st_b) && S_ISBLK(st_a.st_mode) &&
	       S_ISBLK(st_b.st_mode) && disk_of_partition(st_a.st_rdev, disk_a, sizeof(disk_a)) &&
	       disk_of_partition(st_b.st_rdev, disk_b, sizeof(disk_b)) && !strcmp(disk_a, disk_b);
}

enum mortise_code volume_meta_find(const struct volume_devices *devices,
				   struct volume_meta_place *place, struct mortise_error *err)
{
	const char *meta = given(devices, META_LABEL), *state = given(devices, CONFIG_STATE);
	struct mortise_error why;
	enum mortise_code code;

	*place = (struct volume_meta_place){ .path = "" };
	if (meta) {
		snprintf(place->path, sizeof(place->path), "%s", meta);
		return MORTISE_OK;
	}
	code = disk_find_label(META_LABEL, META_LABEL, place->path, sizeof(place->path), &why);
	/* If there are several, the path is that of one of them. */
	if (code == MORTISE_E_DEVICE && !*place->path)
		return MORTISE_OK;
	if (code && err)
		*err = why;
	place->foreign = !code && state && !on_one_disk(place->path, state);
	return code;
}

static enum mortise_code find(const struct mortise_up_options *options,
			      struct volume_meta_place *place, struct mortise_error *err)
{
	const struct volume_devices devices = { options->devices, options->device_count };

	return volume_meta_find(&devices, place, err);
}

/* NULL: there is none, or, with of_state, none that knows STATE. */
static enum mortise_code read_meta(const struct mortise_up_options *options, bool of_state,
				   struct mortise_meta **meta, struct mortise_error *err)
{
	struct volume_meta_place place;
	enum mortise_code code = find(options, &place, err);

	*meta = NULL;
	if (code || !*place.path || (of_state && place.foreign))
		return code;
	return mortise_meta_read(place.path, options->events, meta, err);
}

enum mortise_code volume_meta_check(const struct mortise_up_options *options, bool *present,
				    struct mortise_error *err)
{
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, true, &meta, err);

	*present = meta;
	mortise_meta_free(&meta);
	return code;
}

enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
					char uuid[static VOLUME_NODE_UUID_ROOM],
					struct mortise_error *err)
{
	const struct mortise_meta_entry *entry;
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, false, &meta, err);

	uuid[0] = '\0';
	if (code) {
		error_prefix(err, "whether META gives this machine a UUID cannot be told "
				  "(--node-uuid does)");
	} else if (meta && (entry = mortise_meta_find(meta, MORTISE_META_UUID_OVERRIDE))) {
		if (entry->size < VOLUME_NODE_UUID_ROOM &&
		    !memchr(entry->value, '\0', entry->size)) {
			memcpy(uuid, entry->value, entry->size);
			uuid[entry->size] = '\0';
		} else {
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "META: the UUID under tag %d is no text of less than %u "
					 "bytes",
					 MORTISE_META_UUID_OVERRIDE, VOLUME_NODE_UUID_ROOM);
		}
	}
	mortise_meta_free(&meta);
	return code;
}

enum mortise_code volume_meta_state_read(const struct mortise_up_options *options,
					 struct config **config, struct mortise_error *err)
{
	const struct mortise_meta_entry *entry = NULL;
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, true, &meta, err);

	if (!code && meta)
		entry = mortise_meta_find(meta, MORTISE_META_STATE_ENCRYPTION);
	if (!code)
		code = config_state_parse(entry ? entry->value : "", entry ? entry->size : 0,
					  META_LABEL, config, err);
	mortise_meta_free(&meta);
	return code;
}

const char *volume_meta_state_lack(const struct mortise_up_options *options)
{
	struct volume_meta_place place;
	struct mortise_error ignored;

	if (!find(options, &place, &ignored) && !*place.path)
		return "no partition is labelled META, which would say what opens STATE; is its "
		       "disk there? (--device META=/dev/X says where it is)";
	if (place.foreign)
		return "META lies on another disk than STATE, and knows another one; `mortise up "
		       "-f config.yaml` opens this one, or --device META=/dev/X says where its "
		       "META is";
	return "META has none for STATE; `mortise apply -f config.yaml` brings it back";
}

enum mortise_code volume_meta_state_store(const struct mortise_up_options *options,
					  const struct config *config, struct mortise_error *err)
{
	struct volume_meta_place place;
	enum mortise_code code = find(options, &place, err);

	if (!code && *place.path && !place.foreign)
		code = mortise_meta_set(place.path, options->events, MORTISE_META_STATE_ENCRYPTION,
					mortise_secret_data(config->state_json),
					mortise_secret_size(config->state_json), err);
	if (code)
		error_prefix(err, "META could not be brought in step: the next boot goes by the "
				  "keys that it has");
	return code;
}
