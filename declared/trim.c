/* SPDX-License-Identifier: MIT */
/* Discarding the unused blocks of mounted file systems, when the configuration says that it is due. */
#include "declared/trim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "base/rooted.h"
#include "base/run_dir.h"
#include "declared/state_json.h"
#include "declared/state_store.h"
#include "luks2/json.h"

#define STATE_FILE "trim.json"
/* Without the suffix .json, which marks the records of open volumes. */
#define RUN_FILE   "trim"
#define FILE_MAX   (64u << 10)		/* bytes; more than 512 volumes need */
#define SLICE	   (UINT64_C(64) << 30) /* bytes; between two slices, the run can be canceled */
/* Of the interval, at most; and at most this much: a timer that runs daily is never quite on time. */
#define SLACK_PART 8u
#define SLACK_MAX  (12 * 3600) /* seconds */

struct mortise_trim {
	struct trim_entry {
		struct mortise_trim_volume shown;
		char mount_point[VOLUME_PATH_MAX];
		char text[MORTISE_ERROR_TEXT];
	} * entries;
	size_t count;
};

/* dir: room for the path of STATE. */
static struct state_json get_file(const struct mortise_up_options *options,
				  char dir[static VOLUME_PATH_MAX])
{
	volume_state_dir(options, dir);
	return (struct state_json){
		.root = *dir ? options->root : NULL,
		.dir = *dir ? dir : RUN_DIR,
		.name = *dir ? STATE_FILE : RUN_FILE,
		.max = FILE_MAX,
		.limits = { .depth = 4, .values = 2048 },
	};
}

struct json_object *volume_trim_times(const struct mortise_up_options *options)
{
	char dir[VOLUME_PATH_MAX];
	const struct state_json file = get_file(options, dir);
	struct json_object *all = NULL;
	struct mortise_error ignored;

	return state_json_read(&file, &all, &ignored) ? NULL : all;
}

void volume_trim_find(struct json_object *all, const char *id, struct volume_trim *last)
{
	struct json_object *row = luks2_json_get(all, id, json_type_object);
	uint64_t number = 0;

	*last = (struct volume_trim){ 0 };
	if (luks2_json_integer(row, "time", INT64_MAX, &number))
		last->time = (int64_t)number;
	if (luks2_json_integer(row, "bytes", INT64_MAX, &number))
		last->bytes = number;
}

/* Stores the time of one volume, next to those of the others, under the lock of a run. */
static enum mortise_code store_time(const struct mortise_up_options *options, const char *id,
				    const struct volume_trim *last, struct mortise_error *err)
{
	char dir[VOLUME_PATH_MAX];
	const struct state_json file = get_file(options, dir);
	struct json_object *all, *row = json_object_new_object();
	enum mortise_code code;
	int lock = -1;

	code = volume_run_lock(options->events, &lock, err);
	all = code ? NULL : volume_trim_times(options);
	if (!code && !all)
		all = json_object_new_object();
	if (!code && (!luks2_json_add(row, "time", json_object_new_int64(last->time)) ||
		      !luks2_json_add(row, "bytes", json_object_new_int64((int64_t)last->bytes)) ||
		      !luks2_json_add(all, id, json_object_get(row))))
		code = error_memory(err);
	if (!code)
		code = state_json_store(&file, all, err);
	json_object_put(row);
	json_object_put(all);
	if (lock >= 0)
		close(lock);
	return code;
}

/* Has the interval passed? A time in the future is that of a clock that was wrong. */
static bool is_due(const struct trim_entry *entry, int64_t now)
{
	const int64_t interval = (int64_t)entry->shown.interval;
	const int64_t part = interval / SLACK_PART, slack = part < SLACK_MAX ? part : SLACK_MAX;

	return entry->shown.last > now || entry->shown.last <= now - (interval - slack);
}

/* Discards in slices where the file system counts from its start; btrfs does not. */
static enum mortise_code discard(const struct config_volume *volume, int fd,
				 const struct mortise_events *events, uint64_t *bytes,
				 struct mortise_error *err)
{
	const bool sliced =
		volume->filesystem == CONFIG_FS_XFS || volume->filesystem == CONFIG_FS_EXT4;
	struct fstrim_range range = { .len = UINT64_MAX };
	struct statvfs st;
	uint64_t at = 0, size = 0;

	if (sliced && !fstatvfs(fd, &st))
		size = (uint64_t)st.f_blocks * st.f_frsize;
	*bytes = 0;
	do {
		if (events_canceled(events))
			return events_cancel_error(err);
		range.start = at;
		range.len = size - at > SLICE && size > at ? SLICE : UINT64_MAX - at;
		if (ioctl(fd, FITRIM, &range))
			return error_set(err, MORTISE_E_SYSTEM, errno,
					 "cannot trim the file system");
		*bytes += range.len;
		at += SLICE;
	} while (at < size);
	return MORTISE_OK;
}

static void set_text(struct trim_entry *entry, enum mortise_trim_state state, const char *text)
{
	entry->shown.state = state;
	snprintf(entry->text, sizeof(entry->text), "%s", text);
}

static enum mortise_code trim_volume(const struct volume_entry *volume,
				     const struct mortise_up_options *options,
				     struct trim_entry *entry, struct mortise_error *err)
{
	struct volume_trim last = { 0 };
	struct mortise_error why;
	int fd;

	if (rooted_open(options->root, volume->mount_point, O_RDONLY | O_DIRECTORY, &fd, &why)) {
		set_text(entry, MORTISE_TRIM_FAILED, why.text);
		return MORTISE_OK;
	}
	if (discard(volume->volume, fd, options->events, &last.bytes, &why)) {
		close(fd);
		if (why.code == MORTISE_E_CANCELED) {
			*err = why;
			return why.code;
		}
		if (why.sys_errno == EOPNOTSUPP || why.sys_errno == EROFS)
			set_text(entry, MORTISE_TRIM_SKIPPED,
				 why.sys_errno == EROFS ? "it is mounted read-only"
							: "the device does not support discards");
		else
			set_text(entry, MORTISE_TRIM_FAILED, why.text);
		return MORTISE_OK;
	}
	close(fd);
	last.time = time(NULL);
	entry->shown.state = MORTISE_TRIM_DONE;
	entry->shown.bytes = last.bytes;
	entry->shown.last = last.time;
	if (store_time(options, volume->volume->id, &last, &why)) {
		error_prefix(&why, "trimmed, but the next run does not know it");
		set_text(entry, MORTISE_TRIM_FAILED, why.text);
	}
	return MORTISE_OK;
}

/* Why this volume cannot be trimmed as it is, or NULL. */
static const char *find_obstacle(const struct volume_entry *entry, bool force)
{
	const struct config_volume *volume = entry->volume;

	if (!config_filesystem_is_persistent(volume->filesystem))
		return "it has no file system";
	if (!volume->trim && !force)
		return "the configuration has no \"trim\" for it; use --force to trim it now";
	if (!*entry->mount_point)
		return "it is not mounted";
	if (volume->encrypted && *entry->mapping && !entry->facts.discards)
		return "its mapping does not pass discards on; add \"allowDiscards: true\" to its "
		       "encryption, then close and open it";
	return NULL;
}

static enum mortise_code consider(const struct volume_entry *volume,
				  const struct mortise_up_options *options, bool force,
				  struct trim_entry *entry, struct mortise_error *err)
{
	const char *obstacle = find_obstacle(volume, force);

	snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", volume->mount_point);
	entry->shown = (struct mortise_trim_volume){
		.name = volume->volume->name,
		.id = volume->volume->id,
		.mount_point = entry->mount_point,
		.state = MORTISE_TRIM_NOT_DUE,
		.last = volume->facts.last_trim,
		.interval = volume->volume->trim ? volume->volume->trim_interval : 0,
		.text = entry->text,
	};
	if (obstacle)
		set_text(entry, MORTISE_TRIM_SKIPPED, obstacle);
	else if (force || is_due(entry, time(NULL)))
		return trim_volume(volume, options, entry, err);
	return MORTISE_OK;
}

enum mortise_code mortise_trim(const struct mortise_config *config,
			       const struct mortise_up_options *options, bool force,
			       struct mortise_trim **out, struct mortise_error *err)
{
	struct mortise_up_options wanted;
	struct mortise_report *report = NULL;
	enum mortise_code code;

	*out = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (!code)
		code = mortise_status(config, options, &report, err);
	if (code)
		return code;
	*out = calloc(1, sizeof(**out));
	if (*out)
		(*out)->entries = calloc(report->count + 1, sizeof(*(*out)->entries));
	if (!*out || !(*out)->entries) {
		code = error_memory(err);
		mortise_trim_free(out);
		goto out;
	}
	for (size_t i = 0; !code && i < report->count; i++) {
		const struct volume_entry *volume = &report->entries[i];

		if (volume->volume->trim || wanted.name_count)
			code = consider(volume, &wanted, force, &(*out)->entries[(*out)->count++],
					err);
	}
out:
	mortise_report_free(&report);
	return code;
}

void mortise_trim_free(struct mortise_trim **trim)
{
	if (!trim || !*trim)
		return;
	free((*trim)->entries);
	free(*trim);
	*trim = NULL;
}

const struct mortise_trim_volume *mortise_trim_volume(const struct mortise_trim *trim, size_t i)
{
	return i < trim->count ? &trim->entries[i].shown : NULL;
}

const char *mortise_trim_state_name(enum mortise_trim_state state)
{
	static const char *const names[] = {
		[MORTISE_TRIM_DONE] = "trimmed",
		[MORTISE_TRIM_NOT_DUE] = "not due",
		[MORTISE_TRIM_SKIPPED] = "skipped",
		[MORTISE_TRIM_FAILED] = "failed",
	};

	return (size_t)state < sizeof(names) / sizeof(*names) ? names[state] : "";
}
