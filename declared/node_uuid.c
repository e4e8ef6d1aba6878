/* SPDX-License-Identifier: MIT */
/*
 * What names this machine: an operator's UUID, the one in META (tag 15), what the trust file lists,
 * or the firmware's UUID.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/meta_state.h"

/* nodeID keys are derived from the UUID, and a KMS identifies the machine by it. */
bool volume_key_needs_node_uuid(const struct config_key *key)
{
	return key->kind == CONFIG_KEY_NODE_ID || key->kind == CONFIG_KEY_KMS;
}

bool volume_needs_node_uuid(const struct config *volumes)
{
	for (size_t i = 0; i < volumes->volume_count; i++)
		for (size_t j = 0; j < volumes->volumes[i].key_count; j++)
			if (volume_key_needs_node_uuid(&volumes->volumes[i].keys[j]))
				return true;
	return false;
}

static bool is_firmware_uuid(const char *uuid)
{
	char firmware[MORTISE_UUID_LEN + 1];
	struct mortise_error ignored;

	return !keys_node_uuid_read(firmware, &ignored) && !strcmp(firmware, uuid);
}

/*
 * Reads the UUID in META. Without a permission, a META that cannot be read is only reported: the
 * firmware's UUID may do.
 */
static enum mortise_code read_meta(struct volume_run *run, bool permitted,
				   struct mortise_error *err)
{
	const struct volume_devices devices = { run->options->devices, run->options->device_count };
	struct volume_meta_place place;
	enum mortise_code code = volume_meta_find(&devices, &place, err);

	/* A machine without STATE may have been installed with this UUID. It only opens keyslots. */
	if (!code && place.foreign && (permitted || !place.alone)) {
		snprintf(run->meta_notice, sizeof(run->meta_notice),
			 "%.150s is not on the disk of STATE and was ignored; to use it, give "
			 "--device META=%.150s",
			 place.path, place.path);
		return MORTISE_OK;
	}
	if (!code)
		code = volume_meta_node_uuid(run->options, &place, run->node_uuid, err);
	if (!code || code == MORTISE_E_MEMORY || code == MORTISE_E_CANCELED)
		return code;
	error_prefix(err, "cannot read this machine's UUID from META (--node-uuid overrides it)");
	if (permitted)
		return code;
	snprintf(run->meta_notice, sizeof(run->meta_notice), "%.400s", err->text);
	return MORTISE_OK;
}

/* False: the machine has no name of this kind, or only a placeholder. */
static bool read_name(enum config_node_id id, char name[static VOLUME_NODE_UUID_ROOM])
{
	struct mortise_error ignored;

	switch (id) {
	case CONFIG_NODE_SMBIOS:
		return !keys_node_uuid_read(name, &ignored) &&
		       !keys_node_uuid_check(name, &ignored);
	case CONFIG_NODE_DEVICE_TREE:
		return !keys_node_text_read(KEYS_NODE_DEVICE_TREE, "", name, &ignored) &&
		       !keys_node_uuid_check(name, &ignored);
	case CONFIG_NODE_MACHINE_ID:
		return !keys_node_text_read(KEYS_NODE_MACHINE_ID, "", name, &ignored) &&
		       !keys_node_uuid_check(name, &ignored);
	case CONFIG_NODE_IDS:
		break;
	}
	return false;
}

/*
 * The first name on the list of the trust file. If the machine has none of them, SMBIOS is not used
 * unless it is on the list: an empty name is refused.
 */
static void choose_name(struct volume_run *run)
{
	const struct config_trust *trust = run->trust;
	size_t i = 0;

	if (!(trust->given & 1u << CONFIG_TRUST_NODE_ID))
		return;
	while (i < trust->node_id_count && !read_name(trust->node_ids[i], run->node_uuid))
		i++;
	if (i == trust->node_id_count)
		run->node_uuid[0] = '\0';
	run->sources.node_uuid = run->node_uuid;
}

enum mortise_code volume_choose_node_uuid(struct volume_run *run, struct mortise_error *err)
{
	const bool listed = run->trust->given & 1u << CONFIG_TRUST_NODE_ID;
	/* With a list, an operator's run must use the name that the next boot uses. */
	const bool permitted = run->trust->meta_node_uuid || (run->options->adopt && !listed);
	enum mortise_code code = MORTISE_OK;

	if (run->sources.node_uuid || !volume_needs_node_uuid(run->config))
		return MORTISE_OK;
	if (permitted || !*run->trust->source)
		code = read_meta(run, permitted, err);
	if (code)
		return code;
	if (!*run->node_uuid)
		choose_name(run);
	else if (permitted)
		run->sources.node_uuid = run->node_uuid;
	else if (!is_firmware_uuid(run->node_uuid))
		run->meta_uuid = run->node_uuid;
	return MORTISE_OK;
}
