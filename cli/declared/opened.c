/* SPDX-License-Identifier: MIT */
/* The list of runs that have opened volumes in this boot, the last one at its end. */
#include "cli/declared/opened.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/verbs.h"

#define RUN_DIR	  "/run/mortise"
#define FILE_NAME RUN_DIR "/opened"
#define RUNS_MAX  64u
#define ID_ROOM	  48u

/* The list, which is empty if there is no file. The caller frees it. */
static struct json_object *read_list(void)
{
	struct json_object *list = NULL;

	if (access(FILE_NAME, R_OK) == 0)
		list = json_object_from_file(FILE_NAME);
	if (json_object_is_type(list, json_type_array))
		return list;
	json_object_put(list);
	return json_object_new_array();
}

/* Ignores failures: the options can be given on the command line. */
static void write_list(struct json_object *list)
{
	if (json_object_to_file_ext(FILE_NAME ".new", list, JSON_C_TO_STRING_PLAIN) == 0)
		(void)rename(FILE_NAME ".new", FILE_NAME);
}

/* As an absolute path, since the next command may run in another directory. */
static void add_path(struct json_object *run, const char *key, const char *path)
{
	char *absolute = path && path[0] != '\0' ? realpath(path, NULL) : NULL;
	const char *text = absolute ? absolute : path;

	json_object_object_add(run, key, json_object_new_string(text ? text : ""));
	free(absolute);
}

static const char *get_text(struct json_object *run, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(run, key));

	return text && text[0] != '\0' ? text : NULL;
}

/* Identifies a directory, whatever its path: "DEVICE:INODE". "" if it cannot be read. */
static void identify(const char *path, char id[static ID_ROOM])
{
	struct stat st;

	id[0] = '\0';
	if (stat(path, &st) == 0)
		snprintf(id, ID_ROOM, "%llu:%llu", (unsigned long long)st.st_dev,
			 (unsigned long long)st.st_ino);
}

/* The options in effect. */
static struct json_object *describe_run(const struct volumes *volumes)
{
	struct json_object *run = json_object_new_object();
	struct json_object *devices = json_object_new_object();
	const char *root = volumes->options.root;
	char id[ID_ROOM];

	add_path(run, "file", volumes->file);
	add_path(run, "root", root);
	identify(root ? root : "/", id);
	json_object_object_add(run, "rootId", json_object_new_string(id));
	for (size_t i = 0; i < volumes->options.device_count; i++)
		add_path(devices, volumes->options.devices[i].name,
			 volumes->options.devices[i].device);
	json_object_object_add(run, "devices", devices);
	return run;
}

/* Removes runs with the same options from the list. */
static void remove_run(struct json_object *list, struct json_object *run)
{
	static const char *const keys[] = { "file", "rootId", "devices" };

	for (size_t i = json_object_array_length(list); i > 0; i--) {
		struct json_object *other = json_object_array_get_idx(list, i - 1);
		bool same = true;

		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
			same = same && json_object_equal(json_object_object_get(run, keys[k]),
							 json_object_object_get(other, keys[k]));
		if (same)
			json_object_array_del_idx(list, i - 1, 1);
	}
}

static bool is_open(const struct mortise_volume_status *volume)
{
	return volume->phase == MORTISE_PHASE_READY || volume->phase == MORTISE_PHASE_PREPARED;
}

/* {"STATE": "luks2-STATE", "u-data": ""}: the open volumes, with their mappings. */
static struct json_object *list_volumes(const struct mortise_report *report)
{
	struct json_object *open = json_object_new_object();
	const struct mortise_volume_status *volume;

	for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++) {
		const char *name = strrchr(volume->mapping, '/');

		if (is_open(volume))
			json_object_object_add(open, volume->id,
					       json_object_new_string(name ? name + 1 : ""));
	}
	return open;
}

/* The library keeps a file for a plain volume while it is mounted. */
static bool is_still_open(const char *id, const char *mapping)
{
	char path[sizeof(RUN_DIR) + MORTISE_NAME_MAX + sizeof("/.json")];
	struct mortise_error ignored;

	if (mapping[0] != '\0')
		return mortise_is_active(mapping, &ignored) == MORTISE_OK;
	snprintf(path, sizeof(path), RUN_DIR "/%s.json", id);
	return access(path, F_OK) == 0;
}

static bool has_open_volume(struct json_object *run)
{
	struct json_object *open = json_object_object_get(run, "volumes");

	if (!json_object_is_type(open, json_type_object))
		return false;
	json_object_object_foreach(open, id, mapping) {
		const char *name = json_object_get_string(mapping);

		if (is_still_open(id, name ? name : ""))
			return true;
	}
	return false;
}

void opened_add(const struct volumes *volumes, const struct mortise_report *report)
{
	struct json_object *open = list_volumes(report), *list, *run;

	if (json_object_object_length(open) == 0) {
		json_object_put(open);
		return;
	}
	list = read_list();
	run = describe_run(volumes);
	remove_run(list, run);
	json_object_object_add(run, "volumes", open);
	json_object_array_add(list, run);
	if (json_object_array_length(list) > RUNS_MAX)
		json_object_array_del_idx(list, 0, 1);
	write_list(list);
	json_object_put(list);
}

static bool use_devices(struct json_object *devices, struct volumes *volumes)
{
	size_t count = (size_t)json_object_object_length(devices), i = 0;

	if (count == 0)
		return true;
	volumes->devices = calloc(count, sizeof(*volumes->devices));
	if (!volumes->devices)
		return false;
	json_object_object_foreach(devices, name, device) {
		volumes->devices[i].name = name;
		volumes->devices[i++].device = json_object_get_string(device);
	}
	volumes->options.devices = volumes->devices;
	volumes->options.device_count = count;
	return true;
}

/*
 * Has the root of the run become "/"? Its path is that of an initramfs then, and is gone, or is
 * another directory.
 */
static bool has_moved(struct json_object *run)
{
	const char *root = get_text(run, "root"), *wanted = get_text(run, "rootId");
	char here[ID_ROOM], top[ID_ROOM];

	if (!root || !wanted)
		return false;
	identify(root, here);
	identify("/", top);
	return strcmp(here, wanted) != 0 && strcmp(top, wanted) == 0;
}

static const char *find_root(struct json_object *run)
{
	return has_moved(run) ? NULL : get_text(run, "root");
}

/* A file of an initramfs is gone, but a configuration may be stored. */
static const char *find_file(struct json_object *run)
{
	const char *file = get_text(run, "file");

	return file && has_moved(run) && access(file, F_OK) != 0 ? NULL : file;
}

void opened_use(const struct command *c, struct volumes *volumes)
{
	struct json_object *run, *devices;

	if ((c->verb->id != VERB_DOWN && c->verb->id != VERB_STATUS && c->verb->id != VERB_TRIM &&
	     c->verb->id != VERB_CONTINUE) ||
	    option_set(&c->options, OPTION_FILE) || option_set(&c->options, OPTION_ROOT) ||
	    c->options.device_count > 0)
		return;
	volumes->opened = read_list();
	run = json_object_array_get_idx(volumes->opened,
					json_object_array_length(volumes->opened) - 1);
	devices = json_object_object_get(run, "devices");
	if (!json_object_is_type(devices, json_type_object) || !use_devices(devices, volumes))
		return;
	volumes->file = find_file(run);
	volumes->options.root = find_root(run);
}

void opened_remove(const struct command *c)
{
	struct json_object *list = read_list(), *run;
	size_t count = json_object_array_length(list);
	const char *file, *root;

	for (size_t i = count; i > 0; i--)
		if (!has_open_volume(json_object_array_get_idx(list, i - 1)))
			json_object_array_del_idx(list, i - 1, 1);
	if (json_object_array_length(list) < count)
		write_list(list);
	count = json_object_array_length(list);
	if (count > 0 && !option_set(&c->options, OPTION_BATCH_MODE)) {
		run = json_object_array_get_idx(list, count - 1);
		file = find_file(run);
		root = find_root(run);
		print_to(stderr,
			 "mortise: note: volumes of another configuration were opened in this boot "
			 "(%s, root %s); to close them, run `mortise down` again\n",
			 file ? file : "the stored one", root ? root : "/");
	}
	json_object_put(list);
}
