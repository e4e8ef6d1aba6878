/* SPDX-License-Identifier: MIT */
/* META where volumes need it: read before STATE is open, kept in step once it is. */
#include "volume/meta_state.h"

#include <stdio.h>
#include <string.h>

#include "keys/error.h"
#include "keys/secret.h"
#include "volume/locate.h"

#define META_LABEL "META"

/* By --device META=/dev/X, else by its label. "": there is none. */
static enum mortise_code find(const struct mortise_up_options *options,
			      char path[static VOLUME_PATH_MAX], struct mortise_error *err)
{
	enum mortise_code code;

	for (size_t i = 0; i < options->device_count; i++) {
		if (strcmp(options->devices[i].name, META_LABEL))
			continue;
		snprintf(path, VOLUME_PATH_MAX, "%s", options->devices[i].device);
		return MORTISE_OK;
	}
	code = volume_locate_label(META_LABEL, META_LABEL, path, VOLUME_PATH_MAX, err);
	/* With several of them the path is that of one. */
	return code == MORTISE_E_DEVICE && !*path ? MORTISE_OK : code;
}

static enum mortise_code read_meta(const struct mortise_up_options *options,
				   struct mortise_meta **meta, struct mortise_error *err)
{
	char path[VOLUME_PATH_MAX];
	enum mortise_code code = find(options, path, err);

	*meta = NULL;
	return code || !*path ? code : mortise_meta_read(path, meta, err);
}

enum mortise_code volume_meta_check(const struct mortise_up_options *options, bool *present,
				    struct mortise_error *err)
{
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, &meta, err);

	*present = meta;
	mortise_meta_free(meta);
	return code;
}

enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
					char uuid[static VOLUME_NODE_UUID_ROOM],
					struct mortise_error *err)
{
	struct mortise_meta_entry entry;
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, &meta, err);

	uuid[0] = '\0';
	if (code) {
		error_prefix(err, "whether META gives this machine a UUID cannot be told "
				  "(--node-uuid does)");
	} else if (meta && mortise_meta_find(meta, MORTISE_META_UUID_OVERRIDE, &entry)) {
		if (entry.size < VOLUME_NODE_UUID_ROOM && !memchr(entry.value, '\0', entry.size)) {
			memcpy(uuid, entry.value, entry.size);
			uuid[entry.size] = '\0';
		} else {
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "META: the UUID under tag %d is no text of less than %u "
					 "bytes",
					 MORTISE_META_UUID_OVERRIDE, VOLUME_NODE_UUID_ROOM);
		}
	}
	mortise_meta_free(meta);
	return code;
}

enum mortise_code volume_meta_state_read(const struct mortise_up_options *options,
					 struct meta_config **config, struct mortise_error *err)
{
	struct mortise_meta_entry entry = { .value = "" };
	struct mortise_meta *meta = NULL;
	enum mortise_code code = read_meta(options, &meta, err);

	if (!code && meta && !mortise_meta_find(meta, MORTISE_META_STATE_ENCRYPTION, &entry))
		entry = (struct mortise_meta_entry){ .value = "" };
	if (!code)
		code = meta_state_parse(entry.value, entry.size, META_LABEL, config, err);
	mortise_meta_free(meta);
	return code;
}

enum mortise_code volume_meta_state_store(const struct mortise_up_options *options,
					  const struct meta_config *config,
					  struct mortise_error *err)
{
	char path[VOLUME_PATH_MAX];
	enum mortise_code code = find(options, path, err);

	if (code || !*path)
		return code;
	code = mortise_meta_set(path, MORTISE_META_STATE_ENCRYPTION,
				mortise_secret_data(config->state_json),
				mortise_secret_size(config->state_json), err);
	if (code)
		error_prefix(err, "META could not be brought in step, so the next boot goes by the "
				  "keys that it has");
	return code;
}
