/* SPDX-License-Identifier: MIT */
/* What is known of a volume without its key: UUID, seal, and its entry in the list of STATE. */
#include "declared/status.h"

#include <stdio.h>
#include <string.h>

#include "declared/state_store.h"

void volume_status_begin(struct volume_known *known, const struct config *config,
			 const struct mortise_up_options *options)
{
	known_list_init(&known->list);
	known->state = KNOWN_UNUSED;
	if (!volume_find_state(config))
		return;
	volume_state_dir(options, known->dir);
	if (!*known->dir)
		return;
	known->state = known_load(&known->list, options->root, known->dir, &known->why)
			       ? KNOWN_DAMAGED
			       : KNOWN_LISTED;
}

void volume_status_end(struct volume_known *known)
{
	known_list_clear(&known->list);
}

static void examine_header(struct volume_entry *entry)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = entry->device,
						   .readonly = true,
						   .no_locks = true };
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;

	if (mortise_luks2_load(&location, &header, &ignored))
		return;
	snprintf(entry->uuid, sizeof(entry->uuid), "%s", luks2_header_uuid(header));
	if (!mortise_seal_check(header, &seal, &ignored))
		entry->seal = seal.state == MORTISE_SEAL_NONE ? "none" : "unverified";
	mortise_luks2_free(&header);
}

static const char *compare(struct known_list *list, const struct config_volume *volume,
			   const struct volume_entry *entry)
{
	struct known_volume known;

	if (!known_find(list, volume->id, &known))
		return "unknown";
	if (known.status == KNOWN_EXPECTED)
		return "expected";
	if (known.encrypted != volume->encrypted || strcmp(known.uuid, entry->uuid) != 0)
		return "other";
	return known.status == KNOWN_READY ? "known" : "formatting";
}

void volume_status_examine(struct volume_known *known, struct volume_entry *entry)
{
	const struct config_volume *volume = entry->volume;

	volume_fsck_read(volume, entry->fsck);
	if (volume->encrypted)
		examine_header(entry);
	else if (config_filesystem_is_persistent(volume->filesystem))
		disk_filesystem_uuid(entry->device, entry->uuid);
	if (known->state == KNOWN_DAMAGED)
		entry->known = "damaged";
	else if (known->state == KNOWN_LISTED && !known->list.is_new)
		entry->known = compare(&known->list, volume, entry);
}
