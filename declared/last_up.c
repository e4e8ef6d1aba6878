/* SPDX-License-Identifier: MIT */
#include "declared/last_up.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/run_dir.h"
#include "luks2/json.h"

/* Without the suffix .json, which marks the records of open volumes. */
#define LAST_UP RUN_DIR "/last-up"

static struct json_object *read_all(void)
{
	struct json_object *all = access(LAST_UP, R_OK) ? NULL : json_object_from_file(LAST_UP);

	if (all && json_object_is_type(all, json_type_object))
		return all;
	json_object_put(all);
	return json_object_new_object();
}

static void add(struct json_object *all, const struct volume_entry *entry, int64_t now)
{
	struct json_object *row = json_object_new_object();
	const char *error = entry->error;

	if (!*error && entry->phase != MORTISE_PHASE_READY)
		error = mortise_phase_name(entry->phase);
	if (!luks2_json_add(row, "time", json_object_new_int64(now)) ||
	    !luks2_json_add(row, "error", json_object_new_string(error))) {
		json_object_put(row);
		return;
	}
	json_object_object_del(all, entry->volume->id);
	(void)luks2_json_add(all, entry->volume->id, row);
}

void volume_last_up_store(const struct mortise_report *report)
{
	struct json_object *all = report ? read_all() : NULL;
	struct mortise_error ignored;

	for (size_t i = 0; all && i < report->count; i++)
		add(all, &report->entries[i], time(NULL));
	/* No outcome is better than an old one. */
	if (all && run_dir_store(LAST_UP, json_object_to_json_string(all), &ignored))
		(void)unlink(LAST_UP);
	json_object_put(all);
}

void volume_last_up_read(const struct config_volume *volume, struct volume_last_up *last)
{
	struct json_object *all = read_all();
	struct json_object *row = luks2_json_get(all, volume->id, json_type_object);
	const char *error = luks2_json_text(row, "error");
	uint64_t number;

	*last = (struct volume_last_up){ 0 };
	if (luks2_json_integer(row, "time", INT64_MAX, &number))
		last->time = (int64_t)number;
	snprintf(last->error, sizeof(last->error), "%s", error ? error : "");
	json_object_put(all);
}
