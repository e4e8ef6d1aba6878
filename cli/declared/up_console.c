/* SPDX-License-Identifier: MIT */
/* Prints each step as it starts, and prompts for recovery keys. */
#include "cli/declared/up_console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/log.h"
#include "cli/luks/recovery_key.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

#define LINE_MS 30000u

static const char *const actions[] = {
	[MORTISE_STEP_FORMAT] = "formatting",
	[MORTISE_STEP_OPEN] = "opening",
	[MORTISE_STEP_KEY_ADD] = "adding a key to",
	[MORTISE_STEP_KEY_REPLACE] = "replacing a key on",
	[MORTISE_STEP_KEY_REMOVE] = "removing a key from",
	[MORTISE_STEP_KEY_RECORD] = "recording the keys on",
	[MORTISE_STEP_MKFS] = "creating a file system on",
	[MORTISE_STEP_MOUNT] = "mounting",
	[MORTISE_STEP_SEAL] = "sealing the header of",
	[MORTISE_STEP_GROW] = "growing",
	[MORTISE_STEP_PARTITION] = "creating the partition",
	[MORTISE_STEP_GROW_FS] = "growing the file system on",
	[MORTISE_STEP_ENCRYPT] = "encrypting",
	[MORTISE_STEP_DECRYPT] = "decrypting",
	[MORTISE_STEP_REENCRYPT] = "replacing the volume key of",
};

/* Steps of these kinds are not executed; their text is a reason. */
static bool is_message(const struct mortise_step *step)
{
	return step->kind >= MORTISE_STEP_WAIT && step->kind <= MORTISE_STEP_KEY_FAIL;
}

/* If one of these fails, the volume still becomes ready. */
static bool is_key_step(const struct mortise_step *step)
{
	return (step->kind >= MORTISE_STEP_KEY_ADD && step->kind <= MORTISE_STEP_KEY_RECORD) ||
	       step->kind == MORTISE_STEP_SEAL;
}

/* Reasons and notices go to standard error at once, and are not repeated in the report. */
static void say(struct up_console *console, enum said_kind kind, const char *volume,
		const char *text)
{
	fflush(console->out);
	said_print(console->said, kind, volume, text);
}

static void print_begin(struct up_console *console, const struct mortise_step *step)
{
	if (is_message(step)) {
		say(console, step->kind == MORTISE_STEP_KEY_FAIL ? SAID_WARNING : SAID_ERROR,
		    step->volume, step->text);
		return;
	}
	if (step->kind == MORTISE_STEP_RESET) {
		print_to(console->out, PRINT_INFO "%s: %s\n", step->volume, step->text);
		return;
	}
	print_to(console->out, PRINT_INFO "%s: %s %s", step->volume, actions[step->kind],
		 step->device);
	if (step->keyslot >= 0)
		print_to(console->out, ", slot %d", step->keyslot);
	print_to(console->out, " ...\n");
}

static void print_end(struct up_console *console, const struct mortise_step *step,
		      const struct mortise_error *error)
{
	/* print_begin() has printed the reason. */
	if (is_message(step))
		return;
	if (error)
		say(console, is_key_step(step) ? SAID_WARNING : SAID_ERROR, step->volume,
		    error->text);
	else if (console->verbose)
		print_to(console->out, PRINT_INFO "%s: done: %s\n", step->volume, step->text);
}

/* A line on a terminal, which the next message erases; else a message twice a minute. */
static void print_progress(struct up_console *console, const struct mortise_event *event)
{
	const uint64_t now = progress_elapsed_ms(&console->progress);

	if (!*event->volume)
		return;
	if (console->progress.terminal) {
		(void)progress_tell_bytes(&console->progress, event->volume, event->text,
					  event->done, event->total);
	} else if (event->total && now - console->line_ms >= LINE_MS) {
		console->line_ms = now;
		print_to(console->out, PRINT_INFO "%s: %s: %.0f %%\n", event->volume, event->text,
			 (double)event->done * 100 / (double)event->total);
	}
}

/* A user without a recovery key enters an empty line. */
static void prompt(struct up_console *console, const struct mortise_event *event)
{
	struct mortise_secret *typed = NULL;
	char text[PATH_MAX + 256];

	if (strcmp(console->asked, event->volume) == 0)
		print_to(stderr, "No key available with this recovery key.\n");
	snprintf(console->asked, sizeof(console->asked), "%s", event->volume);
	snprintf(text, sizeof(text), "Recovery key for %s (%s): ", event->volume, event->device);
	if (terminal_read_passphrase(text, console->timeout, &typed) != STATUS_OK)
		return;
	if (mortise_secret_size(typed) > 0)
		*event->answer = typed;
	else
		mortise_secret_free(&typed);
}

/* The file of a key must be on the disk before the key is in the header. */
static bool sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	if (!synced)
		fail_with(STATUS_USAGE, "mortise: Cannot write directory %s: %s.", path,
			  strerror(errno));
	return synced;
}

/* Writes a new recovery key to DIR/ID-KEYSLOT, or prints it. */
static void hand_over(struct up_console *console, const struct mortise_event *event)
{
	const char *directory = console->recovery_dir;
	struct recovery_sink sink;
	char file[PATH_MAX];
	bool done;

	snprintf(file, sizeof(file), "%s/%s-%d", directory ? directory : "", event->text,
		 event->step->keyslot);
	done = recovery_sink_create(directory ? file : NULL, &sink) == STATUS_OK;
	if (done) {
		done = recovery_sink_put(&sink, *event->answer, event->device,
					 event->step->keyslot) == STATUS_OK;
		recovery_sink_close(&sink);
	}
	if (!done || (directory && !sync_directory(directory)))
		*event->answer = NULL;
	else if (directory && console->out)
		print_to(console->out, "%s: the recovery key of slot %d is in %s\n", event->volume,
			 event->step->keyslot, file);
}

static bool handle(void *context, const struct mortise_event *event)
{
	struct up_console *console = context;

	if (event->type != MORTISE_EVENT_POLL && event->type != MORTISE_EVENT_PROGRESS)
		progress_clear(&console->progress);
	if (console->out && event->type == MORTISE_EVENT_PROGRESS)
		print_progress(console, event);
	if (event->type == MORTISE_EVENT_PROMPT)
		prompt(console, event);
	if (event->type == MORTISE_EVENT_RECOVERY_KEY)
		hand_over(console, event);
	if (console->out && event->type == MORTISE_EVENT_STEP_BEGIN)
		print_begin(console, event->step);
	if (console->out && event->type == MORTISE_EVENT_STEP_END)
		print_end(console, event->step, event->error);
	if (console->out && event->type == MORTISE_EVENT_NOTICE)
		say(console, SAID_NOTICE, event->volume, event->text);
	/* After a power cut, the last line on the console is the interrupted step. */
	if (console->out && event->type != MORTISE_EVENT_POLL)
		fflush(console->out);
	return !signals_caught();
}

/*
 * A recovery key is made where a user sees it: `apply` on a terminal, or a given directory, which
 * must exist before anything is changed.
 */
static enum status choose_recovery(const struct command *c, struct volumes *volumes,
				   struct up_console *console)
{
	const char *directory = option_text(&c->options, OPTION_RECOVERY_DIR);

	console->recovery_dir = directory;
	volumes->options.new_recovery_keys =
		directory || (c->verb->id == VERB_APPLY && !volumes->json && isatty(STDOUT_FILENO));
	if (!directory || access(directory, W_OK | X_OK) == 0)
		return STATUS_OK;
	return fail_with(STATUS_USAGE, "mortise: Cannot write to directory %s: %s.", directory,
			 strerror(errno));
}

enum status up_console_begin(const struct command *c, struct volumes *volumes,
			     struct up_console *console)
{
	enum status status;

	status = volumes_options(c, volumes);
	if (status != STATUS_OK)
		return status;
	*console = (struct up_console){
		.out = volumes->json || log_is_kernel() ? stderr : stdout,
		.said = &volumes->said,
		.verbose = option_set(&c->options, OPTION_VERBOSE) ||
			   option_set(&c->options, OPTION_DEBUG),
		.timeout = option_number32(&c->options, OPTION_TIMEOUT),
	};
	progress_begin(&console->progress);
	if (option_set(&c->options, OPTION_BATCH_MODE))
		console->out = NULL;
	status = choose_recovery(c, volumes, console);
	if (status != STATUS_OK) {
		volumes_close(volumes);
		return status;
	}
	volumes->events = (struct mortise_events){ .call = handle, .context = console };
	return volumes_read(c, volumes);
}
