/* SPDX-License-Identifier: MIT */
#include "volume/online.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "volume/activate.h"
#include "volume/flags.h"
#include "volume/table.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57 /* Linux 5.6 */
#endif

struct online {
	struct continuation *run;
	struct dm_control *control;
	const char *name;
	dev_t device; /* below the mapping: the data device */
	char helper[DM_UUID_MAX + 1];
	char helper_path[4096];
	struct dm_info helper_info;
	bool has_helper;
	bool held;		/* the helper is suspended */
	bool failed;		/* I/O to the zone fails */
	bool stopped;		/* the mapping is suspended */
	bool locked;		/* the memory of the process */
	uint64_t size;		/* bytes of the mapping */
	struct luks2_zone zone; /* that leads to the helper; length 0: none */
	struct volume_table_source source;
	struct volume_table table;
};

/*
 * I/O of this process to the volume, such as reading a page of the program, would wait for the zone
 * forever: everything stays in memory. What is allocated later takes memory as it is touched, and the
 * kernel does not write other pages to the volume to get it.
 */
static enum mortise_code lock_memory(struct online *online, struct mortise_error *err)
{
	if (mlockall(MCL_CURRENT) || mlockall(MCL_FUTURE | MCL_ONFAULT))
		return error_set(err, MORTISE_E_MEMORY, errno,
				 "cannot lock the memory of the process");
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	online->locked = true;
	return MORTISE_OK;
}

/*
 * Refuses a header file in the volume, or in a mapping on it: it could not be written while I/O to the
 * volume waits, and nothing would open the volume afterwards.
 */
static enum mortise_code check_header_file(const struct online *online, dev_t mapping,
					   struct mortise_error *err)
{
	const struct luks2_device *header = luks2_header_device(online->run->header);

	if (!dm_file_is_on(header->path, mapping))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0,
			 "the header file %s is in the volume %s itself; move it to another one",
			 header->path, online->name);
}

static enum mortise_code mismatch(const struct online *online, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_USAGE, 0,
			 "Mismatching parameters on device %s. Its table is not what the header "
			 "says; close it first.",
			 online->name);
}

static enum mortise_code find_device(struct online *online, struct mortise_error *err)
{
	const char *path = luks2_header_data_path(online->run->header);
	struct luks2_device *device;
	enum mortise_code code = luks2_device_open(path, false, &device, err);

	if (code)
		return code;
	if (!device->block)
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "cannot re-encrypt the file %s online; name the block device that "
				 "mapping %s is on",
				 path, online->name);
	online->device = device->number;
	online->source.device = path;
	online->source.device_size = device->size;
	luks2_device_close(device);
	return code;
}

/* Flags and the place of the key stay as they are. */
static void read_options(struct online *online, const struct dm_crypt_table *live, size_t count)
{
	const uint32_t flags = volume_flags_choose(online->run->header, 0);

	online->source.dm_flags = volume_flags_to_dm(flags);
	online->source.no_keyring = flags & MORTISE_NO_KEYRING;
	for (size_t i = 0; i < count; i++)
		if (live[i].cipher[0]) {
			online->source.dm_flags = live[i].flags;
			online->source.no_keyring = !live[i].key_in_keyring;
			return;
		}
}

static void find_zone(struct online *online, const struct dm_crypt_table *live, size_t count)
{
	uint64_t start = 0;

	for (size_t i = 0; i < count; start += live[i++].size)
		if (online->has_helper && !live[i].cipher[0] &&
		    live[i].device == online->helper_info.device)
			online->zone = (struct luks2_zone){ start, live[i].size };
}

/* The helper of a process that was killed. */
static enum mortise_code take_helper(struct online *online, struct mortise_error *err)
{
	const struct luks2_reencryption *state = &online->run->state;
	struct dm_crypt_table live[DM_TARGETS_MAX];
	char uuid[DM_UUID_MAX + 1];
	size_t count;
	enum mortise_code code =
		dm_info(online->control, online->helper, &online->helper_info, err);

	volume_helper_uuid(online->run->header, online->helper, uuid);
	if (code && code != MORTISE_E_INACTIVE)
		return code;
	online->has_helper = !code;
	if (!code && strcmp(online->helper_info.uuid, uuid))
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
				 online->helper);
	code = dm_crypt_tables(online->control, online->name, live, &count, err);
	if (!code) {
		read_options(online, live, count);
		find_zone(online, live, count);
	}
	for (size_t i = 0; i < count; i++)
		online->size += live[i].size;
	dm_crypt_tables_clear(live);
	if (!code && state->interrupted &&
	    (online->zone.offset != state->zone.offset ||
	     online->zone.length != state->zone.length))
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"the interrupted zone of the reencryption is accessible in mapping "
			"%s; close it first",
			online->name);
	if (code || !online->has_helper)
		return code;
	online->held = online->zone.length;
	if (online->held)
		return dm_hold(online->control, online->helper, err);
	online->has_helper = false;
	return dm_remove(online->control, online->helper, DM_REMOVE_NOW, err);
}

enum mortise_code online_open(struct continuation *run, const char *name, struct online **out,
			      struct mortise_error *err)
{
	struct online *online = calloc(1, sizeof(*online));
	char uuid[DM_UUID_MAX + 1];
	struct dm_info info;
	enum mortise_code code;

	*out = online;
	if (!online)
		return error_memory(err);
	online->run = run;
	online->name = name;
	online->source = (struct volume_table_source){ .header = run->header,
						       .state = &run->state,
						       .old_key = run->old_key,
						       .new_key = run->new_key };
	snprintf(online->helper, sizeof(online->helper), "%.80s" VOLUME_HELPER, name);
	volume_mapping_uuid(run->header, name, uuid);
	code = find_device(online, err);
	if (!code)
		code = dm_open(&online->control, err);
	if (!code)
		code = dm_info(online->control, name, &info, err);
	if (!code)
		code = online_check_overlay(online->control, run->header, name, err);
	if (!code && (strcmp(info.uuid, uuid) || strlen(name) > 80))
		return mismatch(online, err);
	if (!code)
		code = check_header_file(online, info.device, err);
	online->stopped = !code && info.suspended;
	return code ? code : take_helper(online, err);
}

/* The mapping keeps its size, also if the volume has more room at the end. */
static enum mortise_code build_table(struct online *online, struct mortise_error *err)
{
	enum mortise_code code = volume_table_build(&online->source, &online->table, err);

	if (!code)
		volume_table_trim(&online->table, online->size);
	return code;
}

static enum mortise_code switch_table(struct online *online, struct mortise_error *err)
{
	enum mortise_code code = build_table(online, err);

	return code ? code
		    : dm_crypt_switch(online->control, online->name, online->table.part, false,
				      err);
}

static enum mortise_code compare(struct online *online, struct mortise_error *err)
{
	struct dm_crypt_table live[DM_TARGETS_MAX];
	size_t count;
	enum mortise_code code = build_table(online, err);

	if (code)
		return code;
	if (online->zone.length)
		volume_table_cut(&online->table, &online->zone, online->helper_path);
	code = dm_crypt_tables(online->control, online->name, live, &count, err);
	if (!code &&
	    ((online->run->hotzone && online->size != hotzone_data_size(online->run->hotzone)) ||
	     !volume_table_matches(&online->table, live, count, online->source.device,
				   online->device, online->helper_info.device)))
		code = mismatch(online, err);
	dm_crypt_tables_clear(live);
	return code;
}

/*
 * A process was killed while it moved data ahead: the table may be the one before. Once the header says
 * that the data has moved, and nothing else has happened, the mapping gets the table of the header.
 */
static enum mortise_code go_on(struct online *online, struct mortise_error *err)
{
	const struct luks2_reencryption *state = &online->run->state;

	if (state->mode != MORTISE_DECRYPT || !state->moved_size || !state->whole)
		return mismatch(online, err);
	online->stopped = false;
	return switch_table(online, err);
}

static enum mortise_code create_helper(struct online *online, struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1];
	const struct dm_mapping_options options = { .uuid = uuid, .hidden = true };
	enum mortise_code code;

	volume_helper_uuid(online->run->header, online->helper, uuid);
	code = dm_crypt_create(online->control, online->helper, &options, online->table.part, NULL,
			       err);
	if (code)
		return code;
	online->has_helper = true;
	return dm_info(online->control, online->helper, &online->helper_info, err);
}

enum mortise_code online_begin(struct online *online, struct mortise_error *err)
{
	enum mortise_code code = online->stopped ? go_on(online, err) : MORTISE_OK;

	if (!code)
		code = compare(online, err);
	if (!code)
		code = build_table(online, err);
	if (!code && online->has_helper)
		code = dm_crypt_switch(online->control, online->helper, online->table.part, true,
				       err);
	else if (!code)
		code = create_helper(online, err);
	if (code)
		return code;
	online->held = false;
	code = dm_device_path(online->helper_info.device, online->helper_path,
			      sizeof(online->helper_path), err);
	return code ? code : lock_memory(online, err);
}

enum mortise_code online_hold(struct online *online, const struct luks2_zone *zone,
			      struct mortise_error *err)
{
	enum mortise_code code = build_table(online, err);

	if (code)
		return code;
	volume_table_cut(&online->table, zone, online->helper_path);
	/* The helper is not suspended here: this waits for the I/O to the zone before. */
	code = dm_crypt_switch(online->control, online->name, online->table.part, false, err);
	if (!code)
		code = dm_hold(online->control, online->helper, err);
	online->held = !code;
	return code;
}

static void fail_zone(struct online *online, struct mortise_error *err)
{
	online->failed = true;
	if (dm_fail_io(online->control, online->helper, online->table.size, NULL))
		error_prefix(err,
			     "Online reencryption failed, and I/O to a zone of %s waits "
			     "forever",
			     online->name);
	else
		error_prefix(err, "Online reencryption failed, and I/O to a zone of %s fails",
			     online->name);
}

enum mortise_code online_release(struct online *online, bool torn, enum mortise_code result,
				 struct mortise_error *err)
{
	if (!online->held)
		return result;
	online->held = false;
	if (result && !torn && !dm_release(online->control, online->helper, NULL))
		return result;
	if (!result)
		result = build_table(online, err);
	if (!result)
		result = dm_crypt_switch(online->control, online->helper, online->table.part, true,
					 err);
	if (result)
		fail_zone(online, err);
	return result;
}

enum mortise_code online_finish(struct online *online, enum mortise_code result,
				struct mortise_error *err)
{
	struct mortise_error ignored = { 0 }, *why = result ? &ignored : err;
	enum mortise_code code;

	if (online->failed || online->held || !online->has_helper)
		return result;
	code = switch_table(online, why);
	if (!code)
		code = dm_remove(online->control, online->helper, DM_REMOVE_NOW, why);
	return result ? result : code;
}

/* Is the header on disk without a reencryption? */
static bool is_unchanged(struct online *online)
{
	struct continuation *run = online->run;

	return !luks2_header_read_again(run->header, NULL) &&
	       luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, NULL) ==
		       MORTISE_E_USAGE;
}

enum mortise_code online_move(struct online *online,
			      enum mortise_code (*move)(void *context, struct mortise_error *err),
			      void *context, struct mortise_error *err)
{
	struct mortise_error why = { 0 };
	enum mortise_code code = online->stopped ? mismatch(online, err) : lock_memory(online, err);

	if (!code)
		code = dm_hold(online->control, online->name, err);
	if (code)
		return code;
	code = move(context, err);
	if (code && is_unchanged(online)) {
		if (dm_release(online->control, online->name, NULL))
			error_prefix(err, "I/O to %s waits", online->name);
		return code;
	}
	if (!luks2_reencryption_get(luks2_header_metadata(online->run->header), &online->run->state,
				    &why) &&
	    !switch_table(online, &why))
		return code;
	if (!code)
		*err = why;
	error_prefix(err, "I/O to %s %s until it has been closed and opened", online->name,
		     dm_fail_io(online->control, online->name, online->size, NULL) ? "waits"
										   : "fails");
	return code ? code : why.code;
}

uint64_t online_part(const struct online *online)
{
	const struct luks2_reencryption *state = &online->run->state;
	const uint64_t before = state->before.offset, after = state->after.offset;
	const uint64_t offset = before > after ? before : after;
	const uint64_t whole =
		state->fixed_size ? state->fixed_size : online->source.device_size - offset;

	/* A whole mapping ends with the last whole sector. */
	return online->size / 4096 < whole / 4096 ? online->size : 0;
}

void online_close(struct online *online)
{
	if (!online)
		return;
	if (online->locked) {
		(void)munlockall();
		(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	}
	dm_close(online->control);
	free(online);
}
