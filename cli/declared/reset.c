/* SPDX-License-Identifier: MIT */
/* reset: list the volumes, ask for confirmation, and erase them, keys first. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/declared/reboot.h"
#include "cli/declared/table.h"
#include "cli/declared/volumes.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

#define COLUMNS 5u

static const char *const titles[COLUMNS] = { "VOLUME", "DEVICE", "SIZE", "IN USE", "CONTENT" };

const char *check_reset(const struct command *c)
{
	static const enum option_id others[] = { OPTION_STAGED, OPTION_FULL, OPTION_REBOOT,
						 OPTION_DROP };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (option_set(&c->options, OPTION_WITHDRAW) && option_set(&c->options, others[i]))
			return "Option --withdraw is not allowed with --staged, --full, --drop or "
			       "--reboot.";
	if (option_set(&c->options, OPTION_DROP) && option_set(&c->options, OPTION_STAGED))
		return "Option --drop is not allowed with --staged.";
	return NULL;
}

static bool handle(void *context, const struct mortise_event *event)
{
	if (event->type == MORTISE_EVENT_PROGRESS)
		return progress_tell_bytes(context, event->volume, event->text, event->done,
					   event->total);
	if (event->type == MORTISE_EVENT_NOTICE) {
		progress_clear(context);
		print_to(stderr, PRINT_NOTICE "mortise: %s: notice: %s\n", event->volume,
			 event->text);
	}
	return !signals_caught();
}

static const char *size_text(char text[static TABLE_TEXT_SIZE], uint64_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double number = (double)size;
	size_t unit = 0;

	while (number >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		number /= 1024;
		unit++;
	}
	snprintf(text, TABLE_TEXT_SIZE, "%.*f %s", unit ? 1 : 0, number, units[unit]);
	return text;
}

static bool fill_row(const void *reset, size_t i, struct table_row *row)
{
	const struct mortise_reset_target *target;

	if (!(target = mortise_reset_target(reset, i)))
		return false;
	row->cells[0] = target->name;
	row->cells[1] = target->device;
	row->cells[2] = size_text(row->texts[0], target->size);
	row->cells[3] = target->in_use ? "yes" : "no";
	row->cells[4] = target->content;
	return true;
}

static void print_targets(const struct mortise_reset *reset)
{
	const struct table table = {
		.titles = titles,
		.columns = COLUMNS,
		.fill = fill_row,
		.subject = reset,
	};

	(void)table_print(&table);
	if (mortise_reset_meta(reset))
		print("The encryption of STATE will be deleted from META (%s, tag %d).\n",
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

/* Unlike in cryptsetup, standard input that is not a terminal does not count as a yes. */
static enum status confirm(const struct command *c, const struct mortise_reset *reset)
{
	static const char state[] =
		"\nResetting STATE also erases the configuration of this machine. Keys locked to "
		"STATE\nwill no longer open any volume, and volumes whose header STATE keeps are "
		"lost.";
	char warning[512];

	if (option_set(&c->options, OPTION_BATCH_MODE) || option_set(&c->options, OPTION_YES))
		return STATUS_OK;
	if (isatty(STDIN_FILENO) != 1)
		return fail_with(STATUS_USAGE, "mortise: not a terminal; use --yes to confirm");
	snprintf(warning, sizeof(warning), "%s erase all data on these volumes irrevocably.%s",
		 option_set(&c->options, OPTION_STAGED) ? "The next `mortise up` will"
							: "This will",
		 resets_state(reset) ? state : "");
	if (!terminal_confirm(warning, "Operation aborted; nothing was changed."))
		return STATUS_USAGE;
	return STATUS_OK;
}

/* Executes the reset, or orders it. */
static enum status run(const struct command *c, struct mortise_reset *reset,
		       struct progress *progress)
{
	const bool staged = option_set(&c->options, OPTION_STAGED);
	struct mortise_error err = { 0 };

	progress_begin(progress);
	err.code = staged ? mortise_reset_stage(reset, &err) : mortise_reset_run(reset, &err);
	progress_clear(progress);
	if (err.code != MORTISE_OK)
		return volumes_fail(c, &err);
	if (option_set(&c->options, OPTION_BATCH_MODE))
		return STATUS_OK;
	if (option_set(&c->options, OPTION_DROP))
		print("Wiped. The partitions of these volumes are deleted.\n");
	else if (staged)
		print("Ordered. The next `mortise up` that finds these volumes closed erases "
		      "them.\n");
	else
		print("Wiped. These volumes can no longer be unlocked.\n");
	return STATUS_OK;
}

static enum status withdraw(const struct command *c, const struct mortise_reset_options *options)
{
	struct mortise_error err = { 0 };

	if (mortise_reset_withdraw(options, &err))
		return volumes_fail(c, &err);
	if (!option_set(&c->options, OPTION_BATCH_MODE))
		print("Withdrawn. These volumes stay as they are.\n");
	return STATUS_OK;
}

enum status run_reset(const struct command *c)
{
	bool quiet = option_set(&c->options, OPTION_BATCH_MODE);
	struct mortise_reset *reset = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes = { 0 };
	struct progress progress = { 0 };
	const struct mortise_events events = { .call = handle, .context = &progress };
	struct mortise_reset_options options = {
		.struct_size = sizeof(options),
		.names = (const char *const *)c->words,
		.name_count = c->word_count,
		.full = option_set(&c->options, OPTION_FULL),
		.drop = option_set(&c->options, OPTION_DROP),
		.events = &events,
	};
	enum status status;

	status = reboot_check(c);
	if (status == STATUS_OK)
		status = volumes_read_devices(c, &volumes);
	if (status != STATUS_OK)
		goto out;
	options.devices = volumes.devices;
	options.device_count = c->options.device_count;
	if (option_set(&c->options, OPTION_WITHDRAW)) {
		status = withdraw(c, &options);
		goto out;
	}
	if (mortise_reset_find(&options, &reset, &err)) {
		status = volumes_fail(c, &err);
		goto out;
	}
	if (!quiet)
		print_targets(reset);
	status = confirm(c, reset);
	if (status != STATUS_OK)
		goto out;
	status = run(c, reset, &progress);
out:
	mortise_reset_free(&reset);
	volumes_close(&volumes);
	return reboot_end(c, status);
}
