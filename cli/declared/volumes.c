/* SPDX-License-Identifier: MIT */
/* The configuration, and the options for the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/declared/json.h"
#include "cli/declared/opened.h"
#include "cli/declared/volumes.h"
#include "cli/keyslot.h"
#include "cli/pcr.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/sources.h"
#include "cli/verbs.h"

#define WAIT_DEFAULT_MS 30000u /* the pause between two attempts of Talos */

enum status volumes_fail(const struct command *c, const struct mortise_error *err)
{
	print_to(stderr, "mortise: ");
	return fail(c, err);
}

/*
 * Prints "mortise: config.yaml:12:5: text" for each remark. A remark on the document as a whole has
 * no line and column.
 */
static void print_remarks(const struct mortise_config *config, const char *file, bool notices)
{
	const struct mortise_remark *remark;

	for (size_t i = 0; (remark = mortise_config_remark(config, i)); i++) {
		if (!remark->error && !notices)
			continue;
		print_to(stderr,
			 remark->error ? "mortise: %s:" : PRINT_NOTICE "mortise: %s:", file);
		if (remark->line > 0)
			print_to(stderr, "%u:%u:", remark->line, remark->column);
		print_to(stderr, " %s%s\n", remark->error ? "" : "notice: ", remark->text);
	}
}

static enum status find_config(const struct command *c, struct volumes *volumes, const char **file,
			       struct mortise_error *err)
{
	enum mortise_code code;
	enum status status;

	*file = volumes->file;
	if (*file || access(VOLUMES_CONFIG_DEFAULT, F_OK) == 0) {
		code = mortise_config_read(*file, &volumes->config, err);
		*file = *file ? *file : VOLUMES_CONFIG_DEFAULT;
		return code == MORTISE_OK ? STATUS_OK : STATUS_USAGE;
	}
	*file = "config.yaml in STATE";
	code = mortise_config_stored(&volumes->options, &volumes->config,
				     c->verb->id == VERB_UP ? &volumes->plan : NULL, err);
	status = (enum status)mortise_exit_status(code);
	/* Without a configuration, no device has failed (4), and no volume is ready (6). */
	return status == STATUS_PARTLY || status == STATUS_DEVICE ? STATUS_USAGE : status;
}

static bool has_remark(const struct mortise_config *config)
{
	return config && mortise_config_remark(config, 0);
}

enum status volumes_read(const struct command *c, struct volumes *volumes)
{
	struct mortise_error err = { 0 };
	struct json_object *document;
	const char *file;
	enum status status;

	status = find_config(c, volumes, &file, &err);
	if (volumes->config)
		print_remarks(volumes->config, file, !option_set(&c->options, OPTION_BATCH_MODE));
	if (status == STATUS_OK)
		return STATUS_OK;
	/* A remark has already explained the error. */
	if (!has_remark(volumes->config))
		fail_with(status, "mortise: %s", err.text);
	if (volumes->json) {
		document = json_document(volumes->config, c->verb->name);
		json_add_error(document, &err);
		(void)json_print(document);
	}
	volumes_close(volumes);
	return status;
}

/* Splits each "NAME=/dev/X" at its first "=". */
enum status volumes_read_devices(const struct command *c, struct volumes *volumes)
{
	size_t count = c->options.device_count, size = 0, at = 0;

	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(c->options.devices[i], '=');

		if (!equals || equals == c->options.devices[i] || equals[1] == '\0')
			return fail_with(STATUS_USAGE,
					 "mortise: invalid --device \"%s\"; use NAME=/dev/X",
					 c->options.devices[i]);
		size += strlen(c->options.devices[i]) + 1;
	}
	if (count == 0)
		return STATUS_OK;
	volumes->devices = calloc(count, sizeof(*volumes->devices));
	volumes->device_names = malloc(size);
	if (!volumes->devices || !volumes->device_names)
		return fail_with(STATUS_MEMORY, "mortise: out of memory");
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(c->options.devices[i]) + 1;
		char *pair = volumes->device_names + at;
		char *equals;

		memcpy(pair, c->options.devices[i], length);
		equals = strchr(pair, '=');
		*equals = '\0';
		volumes->devices[i].name = pair;
		volumes->devices[i].device = equals + 1;
		at += length;
	}
	return STATUS_OK;
}

/* plan shows the current state, so it does not wait by default. */
static uint32_t wait_ms(const struct command *c)
{
	if (option_set(&c->options, OPTION_WAIT))
		return option_number32(&c->options, OPTION_WAIT) * 1000;
	return c->verb->id == VERB_PLAN ? 0 : WAIT_DEFAULT_MS;
}

static void read_extension(const struct command *c, struct mortise_up_options *options)
{
	const char *text = option_text(&c->options, OPTION_EXTEND_PCR);

	if (text && !pcr_extension(text, &options->extend_pcr, &options->extend_word))
		options->extend_word = NULL; /* options_parse() has refused it */
}

/* Checks the cost before any key is derived with it. */
static enum status read_cost(const struct command *c, struct mortise_kdf_choice *cost)
{
	struct mortise_keyslot_new what = { .struct_size = sizeof(what), .keyslot = MORTISE_ANY };
	struct mortise_error err = { 0 };

	*cost = (struct mortise_kdf_choice){ .struct_size = sizeof(*cost) };
	keyslot_cost(c, cost);
	what.kdf = cost;
	return mortise_keyslot_check(&what, &err) ? fail(c, &err) : STATUS_OK;
}

static bool print_notice(void *context, const struct mortise_event *event)
{
	(void)context;
	if (event->type == MORTISE_EVENT_NOTICE)
		print_to(stderr, "mortise: %s: notice: %s\n", event->volume, event->text);
	return !signals_caught();
}

/* plan shows what up would do, and with one of these options what apply would do. */
static bool creates_partitions(const struct command *c)
{
	if (c->verb->id == VERB_APPLY)
		return !option_set(&c->options, OPTION_STAGED);
	return option_set(&c->options, OPTION_SYSTEM_DISK) ||
	       option_set(&c->options, OPTION_RECREATE);
}

enum status volumes_options(const struct command *c, struct volumes *volumes)
{
	enum status status;

	*volumes = (struct volumes){
		.json = option_set(&c->options, OPTION_JSON),
		.events = { .call = print_notice },
	};
	status = read_cost(c, &volumes->cost);
	if (status != STATUS_OK)
		return status;
	status = volumes_read_devices(c, volumes);
	if (status != STATUS_OK) {
		volumes_close(volumes);
		return status;
	}
	volumes->options = (struct mortise_up_options){
		.struct_size = sizeof(struct mortise_up_options),
		.names = c->word_count > 0 ? (const char *const *)c->words : NULL,
		.name_count = c->word_count,
		.devices = volumes->devices,
		.device_count = c->options.device_count,
		.sources = &volumes->sources,
		.cost = &volumes->cost,
		.wait_ms = wait_ms(c),
		.device_wait_ms = option_number32(&c->options, OPTION_WAIT) * 1000,
		.events = &volumes->events,
		.root = option_text(&c->options, OPTION_ROOT),
		.recovery = option_set(&c->options, OPTION_RECOVERY),
		.try_keys = option_set(&c->options, OPTION_TRY_KEYS),
		.check_keys = option_set(&c->options, OPTION_CHECK_KEYS),
		.no_mount = option_set(&c->options, OPTION_NO_MOUNT),
		.adopt = c->verb->id == VERB_APPLY || option_set(&c->options, OPTION_ADOPT),
		.trust = option_text(&c->options, OPTION_TRUST),
		.max_unlock_s = command_max_unlock(c),
		.grow = c->verb->id == VERB_GROW,
		.provision = creates_partitions(c),
		.system_disk = option_text(&c->options, OPTION_SYSTEM_DISK),
		.recreate = option_set(&c->options, OPTION_RECREATE),
	};
	volumes->file = option_text(&c->options, OPTION_FILE);
	opened_use(c, volumes);
	sources_fill(c, &volumes->sources);
	read_extension(c, &volumes->options);
	return STATUS_OK;
}

enum status volumes_open(const struct command *c, struct volumes *volumes)
{
	enum status status = volumes_options(c, volumes);

	if (status != STATUS_OK)
		return status;
	return volumes_read(c, volumes);
}

bool volumes_open_quietly(const struct command *c, struct volumes *volumes)
{
	struct mortise_error ignored;
	const char *file;

	if (volumes_options(c, volumes) != STATUS_OK)
		return false;
	if (find_config(c, volumes, &file, &ignored) == STATUS_OK)
		return true;
	volumes_close(volumes);
	return false;
}

void volumes_close(struct volumes *volumes)
{
	mortise_plan_free(&volumes->plan);
	mortise_config_free(&volumes->config);
	json_object_put(volumes->opened);
	free(volumes->devices);
	free(volumes->device_names);
	said_clear(&volumes->said);
	*volumes = (struct volumes){ 0 };
}
