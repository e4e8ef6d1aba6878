/* SPDX-License-Identifier: MIT */
/* What is known of a volume without its key: UUID, seal, and its entry in the list of STATE. */
#include "declared/status.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/rooted.h"
#include "declared/continue.h"
#include "declared/last_up.h"
#include "declared/reset/ordered.h"
#include "declared/state_header.h"
#include "declared/state_store.h"
#include "declared/trim.h"
#include "luks2/metadata.h"
#include "volume/record.h"
#include "volume/sealed.h"

static void read_lists(struct volume_known *known, const struct mortise_up_options *options)
{
	struct mortise_error ignored;

	known->state = known_load(&known->list, options->root, known->dir, &known->why)
			       ? KNOWN_DAMAGED
			       : KNOWN_LISTED;
	/* The next run reports an error. */
	(void)!reset_orders_load(&known->orders, options->root, known->dir, &ignored);
}

void volume_status_begin(struct volume_known *known, const struct config *config,
			 const struct mortise_up_options *options)
{
	known_list_init(&known->list);
	known->state = KNOWN_UNUSED;
	if (!volume_find_state(config))
		return;
	volume_state_dir(options, known->dir);
	if (*known->dir)
		read_lists(known, options);
	reset_meta_show(options, &known->orders);
}

void volume_status_end(struct volume_known *known)
{
	known_list_clear(&known->list);
	reset_orders_clear(&known->orders);
}

/* A token of keyslot n has id n. */
static void examine_tokens(struct json_object *metadata, struct volume_facts *facts)
{
	struct keys_tpm_object object;
	struct mortise_error ignored;

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++) {
		if (volume_token_binding(metadata, id, &object, &ignored))
			continue;
		facts->pcrs |= object.pcrs;
		facts->signed_pcr_11 |= object.signed_policy;
	}
}

static void examine_reencryption(struct mortise_luks2 *header, struct volume_entry *entry)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_error ignored;

	if (!mortise_reencrypt_info(header, &info, &ignored)) {
		entry->facts.reencrypted = info.done;
		entry->facts.reencrypt_total = info.total;
		entry->facts.running = volume_continue_runs(entry->volume);
		snprintf(entry->reencryption, sizeof(entry->reencryption),
			 "%" PRIu64 " of %" PRIu64 " MiB are %s; %s", info.done >> 20,
			 info.total >> 20,
			 info.mode == MORTISE_DECRYPT ? "decrypted" : "re-encrypted",
			 entry->facts.running ? "`mortise continue` is running"
			 : *entry->mapping    ? "`mortise continue` continues"
					      : "the next up continues");
	} else if (volume_record_rotation_ordered(luks2_header_metadata(header))) {
		snprintf(entry->reencryption, sizeof(entry->reencryption),
			 "the next boot replaces the volume key");
	}
}

/* file: the detached header, or NULL. Returns false if the volume has no header. */
static bool examine_header(struct volume_entry *entry, const char *file)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = entry->device,
						   .header = file,
						   .readonly = true,
						   .no_locks = true };
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;

	if (mortise_luks2_load(&location, &header, &ignored))
		return false;
	snprintf(entry->uuid, sizeof(entry->uuid), "%s", luks2_header_uuid(header));
	if (!mortise_seal_check(header, &seal, &ignored))
		entry->seal = seal.state == MORTISE_SEAL_NONE ? "none" : "unverified";
	examine_tokens(luks2_header_metadata(header), &entry->facts);
	examine_reencryption(header, entry);
	mortise_luks2_free(&header);
	return true;
}

/* With inPlace, a volume that is declared plain may be encrypted, and its header in STATE. */
static bool find_header(const struct volume_known *known, struct volume_entry *entry)
{
	const struct config_volume *volume = entry->volume;
	char file[VOLUME_PATH_MAX];
	struct mortise_error ignored;
	bool found;

	if (!volume->encrypted && !volume->in_place)
		return false;
	if (*known->dir &&
	    !state_header_find(known->list.root, known->dir, volume->id, file, &found, &ignored) &&
	    found && examine_header(entry, file))
		return true;
	return examine_header(entry, NULL);
}

static const char *compare(struct known_list *list, const struct config_volume *volume,
			   const struct volume_entry *entry)
{
	struct known_volume known;

	if (!known_find(list, volume->id, &known))
		return "unknown";
	if (known.status != KNOWN_READY && known.status != KNOWN_FORMATTING)
		return known_status_name(known.status);
	if ((known.encrypted != volume->encrypted && !volume->in_place) ||
	    strcmp(known.uuid, entry->uuid) != 0)
		return "other";
	return known.status == KNOWN_READY ? "known" : known_status_name(known.status);
}

void volume_status_examine(struct volume_known *known, struct volume_entry *entry)
{
	const struct config_volume *volume = entry->volume;

	volume_fsck_read(volume, entry->fsck);
	disk_place_read(entry->device, &entry->facts.place);
	disk_partition_uuid(entry->device, entry->facts.partition_uuid);
	entry->reset_staged = reset_find_ordered(&known->orders, volume);
	if (!find_header(known, entry) && !volume->encrypted &&
	    config_filesystem_is_persistent(volume->filesystem))
		disk_filesystem_uuid(entry->device, config_filesystem_name(volume->filesystem),
				     entry->uuid);
	if (known->state == KNOWN_DAMAGED)
		entry->known = "damaged";
	else if (known->state == KNOWN_LISTED && !known->list.is_new)
		entry->known = compare(&known->list, volume, entry);
}

void volume_status_use(const char *root, const char *mount_point,
		       struct mortise_filesystem_use *use)
{
	struct mortise_error ignored;
	struct statvfs st;
	int fd;

	*use = (struct mortise_filesystem_use){ 0 };
	if (!*mount_point || rooted_open(root, mount_point, O_PATH, &fd, &ignored))
		return;
	if (!fstatvfs(fd, &st))
		*use = (struct mortise_filesystem_use){
			.size = (uint64_t)st.f_blocks * st.f_frsize,
			.used = (uint64_t)(st.f_blocks - st.f_bfree) * st.f_frsize,
			.available = (uint64_t)st.f_bavail * st.f_frsize,
			.inodes = st.f_files,
			.inodes_used = st.f_files - st.f_ffree,
		};
	close(fd);
}

void volume_status_last_up(struct volume_entry *entry)
{
	struct volume_last_up last;

	volume_last_up_read(entry->volume, &last);
	entry->facts.last_up = last.time;
	snprintf(entry->facts.last_error, sizeof(entry->facts.last_error), "%s", last.error);
}

void volume_status_trims(struct mortise_report *report, const struct mortise_up_options *options)
{
	struct json_object *times = volume_trim_times(options);
	struct volume_trim last;

	for (size_t i = 0; i < report->count; i++) {
		volume_trim_find(times, report->entries[i].volume->id, &last);
		report->entries[i].facts.last_trim = last.time;
		report->entries[i].facts.last_trim_bytes = last.bytes;
	}
	json_object_put(times);
}
