/* SPDX-License-Identifier: MIT */
/* The list of runs that have opened volumes in this boot, the last one at its end. */
#include "cli/declared/opened.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/verbs.h"

#define FILE_NAME "/run/mortise/opened"
#define RUNS_MAX  64u

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

/* The options in effect. */
static struct json_object *describe_run(const struct volumes *volumes)
{
	struct json_object *run = json_object_new_object();
	struct json_object *devices = json_object_new_object();

	add_path(run, "file", volumes->file);
	add_path(run, "root", volumes->options.root);
	for (size_t i = 0; i < volumes->options.device_count; i++)
		add_path(devices, volumes->options.devices[i].name,
			 volumes->options.devices[i].device);
	json_object_object_add(run, "devices", devices);
	return run;
}

/* Removes the run from the list. */
static void remove_run(struct json_object *list, struct json_object *run)
{
	for (size_t i = json_object_array_length(list); i > 0; i--)
		if (json_object_equal(json_object_array_get_idx(list, i - 1), run))
			json_object_array_del_idx(list, i - 1, 1);
}

static bool has_opened(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	for (size_t i = 0; report && (volume = mortise_report_volume(report, i)); i++)
		if (volume->phase == MORTISE_PHASE_READY || volume->phase == MORTISE_PHASE_PREPARED)
			return true;
	return false;
}

void opened_add(const struct volumes *volumes, const struct mortise_report *report)
{
	struct json_object *list, *run;

	if (!has_opened(report))
		return;
	list = read_list();
	run = describe_run(volumes);
	remove_run(list, run);
	json_object_array_add(list, run);
	if (json_object_array_length(list) > RUNS_MAX)
		json_object_array_del_idx(list, 0, 1);
	write_list(list);
	json_object_put(list);
}

static const char *get_text(struct json_object *run, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(run, key));

	return text && text[0] != '\0' ? text : NULL;
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

void opened_use(const struct command *c, struct volumes *volumes)
{
	struct json_object *run, *devices;

	if ((c->verb->id != VERB_DOWN && c->verb->id != VERB_STATUS && c->verb->id != VERB_TRIM) ||
	    option_set(&c->options, OPTION_FILE) || option_set(&c->options, OPTION_ROOT) ||
	    c->options.device_count > 0)
		return;
	volumes->opened = read_list();
	run = json_object_array_get_idx(volumes->opened,
					json_object_array_length(volumes->opened) - 1);
	devices = json_object_object_get(run, "devices");
	if (!json_object_is_type(devices, json_type_object) || !use_devices(devices, volumes))
		return;
	volumes->file = get_text(run, "file");
	volumes->options.root = get_text(run, "root");
}

void opened_remove(const struct command *c, const struct volumes *volumes)
{
	struct json_object *list = read_list(), *run = describe_run(volumes);
	size_t count = json_object_array_length(list);
	const char *file, *root;

	remove_run(list, run);
	if (json_object_array_length(list) < count)
		write_list(list);
	count = json_object_array_length(list);
	if (count > 0 && !option_set(&c->options, OPTION_BATCH_MODE)) {
		json_object_put(run);
		run = json_object_get(json_object_array_get_idx(list, count - 1));
		file = get_text(run, "file");
		root = get_text(run, "root");
		print_to(stderr,
			 "mortise: note: volumes of another configuration were opened in this boot "
			 "(%s, root %s); to close them, run `mortise down` again\n",
			 file ? file : "the stored one", root ? root : "/");
	}
	json_object_put(run);
	json_object_put(list);
}
