/* SPDX-License-Identifier: MIT */
/* reset: show what would be wiped, ask, and wipe it so that nothing of it opens again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "cli/declared/volumes.h"

#define COLUMNS 5u

static const char *const titles[COLUMNS] = { "VOLUME", "DEVICE", "SIZE", "IN USE", "CONTENT" };

static bool handle(void *context, const struct mortise_event *event)
{
	if (event->type == MORTISE_EVENT_PROGRESS)
		return progress_tell_bytes(context, event->volume, event->text, event->done,
					   event->total);
	return !signals_caught();
}

static void fill_cells(const struct mortise_reset_target *target, char size[static 24],
		       const char *cells[COLUMNS])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double number = (double)target->size;
	size_t unit = 0;

	while (number >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		number /= 1024;
		unit++;
	}
	snprintf(size, 24, "%.*f %s", unit ? 1 : 0, number, units[unit]);
	cells[0] = target->name;
	cells[1] = target->device;
	cells[2] = size;
	cells[3] = target->in_use ? "yes" : "no";
	cells[4] = target->content;
}

static void print_targets(const struct mortise_reset *reset)
{
	struct table table = { .titles = titles, .count = COLUMNS };
	const struct mortise_reset_target *target;
	const char *cells[COLUMNS];
	char size[24];

	for (size_t i = 0; (target = mortise_reset_target(reset, i)); i++) {
		fill_cells(target, size, cells);
		table_measure(&table, cells);
	}
	table_print_titles(&table);
	for (size_t i = 0; (target = mortise_reset_target(reset, i)); i++) {
		fill_cells(target, size, cells);
		table_print(&table, cells);
	}
	if (mortise_reset_meta(reset))
		printf("META (%s) forgets how STATE is encrypted (tag %d).\n",
		       mortise_reset_meta(reset), MORTISE_META_STATE_ENCRYPTION);
	fflush(stdout);
}

static bool resets_state(const struct mortise_reset *reset)
{
	const struct mortise_reset_target *target;

	for (size_t i = 0; (target = mortise_reset_target(reset, i)); i++)
		if (strcmp(target->name, "STATE") == 0)
			return true;
	return false;
}

/* cryptsetup takes a script's silence for a yes. Here whole volumes are lost by it. */
static enum status confirm(const struct command *c, const struct mortise_reset *reset)
{
	static const char state[] =
		"\nWith STATE goes the configuration of this machine, and keys that are locked to "
		"STATE\nopen no other volume any more.";
	char warning[512];

	if (option_set(&c->options, OPTION_BATCH_MODE) || option_set(&c->options, OPTION_YES))
		return STATUS_OK;
	if (isatty(STDIN_FILENO) != 1)
		return fail_with(STATUS_USAGE,
				 "mortise: Nobody is there to ask: --yes says that it is meant.");
	snprintf(warning, sizeof(warning), "All that these volumes hold will be lost for good.%s",
		 resets_state(reset) ? state : "");
	return terminal_confirm(warning, "Operation aborted: nothing was changed.") ? STATUS_OK
										    : STATUS_USAGE;
}

static enum status fail_reset(const struct command *c, const struct mortise_error *err)
{
	fprintf(stderr, "mortise: ");
	return fail(c, err);
}

enum status run_reset(const struct command *c)
{
	struct mortise_reset *reset = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes = { 0 };
	struct progress progress;
	const struct mortise_events events = { .call = handle, .context = &progress };
	enum status status = volumes_read_devices(c, &volumes);
	const struct mortise_reset_options options = {
		.struct_size = sizeof(options),
		.names = (const char *const *)c->words,
		.name_count = c->word_count,
		.devices = volumes.devices,
		.device_count = c->options.device_count,
		.full = option_set(&c->options, OPTION_FULL),
		.events = &events,
	};

	if (status == STATUS_OK && mortise_reset_find(&options, &reset, &err))
		status = fail_reset(c, &err);
	if (status == STATUS_OK && !option_set(&c->options, OPTION_BATCH_MODE))
		print_targets(reset);
	if (status == STATUS_OK)
		status = confirm(c, reset);
	if (status == STATUS_OK) {
		progress_begin(&progress);
		if (mortise_reset_run(reset, &err) == MORTISE_OK)
			err.code = MORTISE_OK;
		progress_clear(&progress);
		if (err.code != MORTISE_OK)
			status = fail_reset(c, &err);
		else if (!option_set(&c->options, OPTION_BATCH_MODE))
			printf("Wiped: nothing of it opens again.\n");
	}
	mortise_reset_free(&reset);
	volumes_close(&volumes);
	return status;
}
