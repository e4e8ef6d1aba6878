/* SPDX-License-Identifier: MIT */
/* While volumes are opened: prints each step as it begins, and asks for a recovery key. */
#include "cli/declared/up_console.h"

#include <string.h>

#include "cli/signals.h"
#include "cli/terminal.h"

static const char *const doing[] = {
	[MORTISE_STEP_FORMAT] = "formatting",
	[MORTISE_STEP_OPEN] = "opening",
	[MORTISE_STEP_KEY_ADD] = "adding a key on",
	[MORTISE_STEP_KEY_REPLACE] = "replacing a key on",
	[MORTISE_STEP_KEY_REMOVE] = "removing a key from",
	[MORTISE_STEP_KEY_RECORD] = "noting the keys on",
	[MORTISE_STEP_MKFS] = "making a file system on",
	[MORTISE_STEP_MOUNT] = "mounting",
};

static void print_begin(const struct bringing *bringing, const struct mortise_step *step)
{
	if (step->kind >= MORTISE_STEP_WAIT) {
		fprintf(bringing->out, "%s: %s\n", step->volume, step->text);
		return;
	}
	fprintf(bringing->out, "%s: %s %s", step->volume, doing[step->kind], step->device);
	if (step->keyslot >= 0)
		fprintf(bringing->out, ", slot %d", step->keyslot);
	fprintf(bringing->out, " ...\n");
}

static void print_end(const struct bringing *bringing, const struct mortise_step *step,
		      const struct mortise_error *error)
{
	/* The reason of these steps was printed when they began. */
	if (step->kind >= MORTISE_STEP_WAIT)
		return;
	if (error)
		fprintf(bringing->out, "%s: failed: %s\n", step->volume, error->text);
	else if (bringing->verbose)
		fprintf(bringing->out, "%s: done: %s\n", step->volume, step->text);
}

/* An empty line means that there is no recovery key. */
static void prompt(struct bringing *bringing, const struct mortise_event *event)
{
	struct mortise_secret *typed = NULL;
	char text[PATH_MAX + 256];

	if (strcmp(bringing->asked, event->volume) == 0)
		fprintf(stderr, "No key available with this recovery key.\n");
	snprintf(bringing->asked, sizeof(bringing->asked), "%s", event->volume);
	snprintf(text, sizeof(text), "Recovery key for %s (%s): ", event->volume, event->device);
	if (terminal_read_passphrase(text, bringing->timeout, &typed) != STATUS_OK)
		return;
	if (mortise_secret_size(typed) > 0)
		*event->answer = typed;
	else
		mortise_secret_free(&typed);
}

static bool handle(void *context, const struct mortise_event *event)
{
	struct bringing *bringing = context;

	if (event->type == MORTISE_EVENT_PROMPT)
		prompt(bringing, event);
	if (bringing->out && event->type == MORTISE_EVENT_STEP_BEGIN)
		print_begin(bringing, event->step);
	if (bringing->out && event->type == MORTISE_EVENT_STEP_END)
		print_end(bringing, event->step, event->error);
	if (bringing->out && event->type == MORTISE_EVENT_NOTICE)
		fprintf(bringing->out, "%s: %s\n", event->volume, event->text);
	/* After a power cut the last line on the console is the step that was interrupted. */
	if (bringing->out && event->type != MORTISE_EVENT_POLL)
		fflush(bringing->out);
	return !signals_caught();
}

enum status bringing_begin(const struct command *c, struct volumes *volumes,
			   struct bringing *bringing)
{
	enum status status = volumes_options(c, volumes);

	if (status != STATUS_OK)
		return status;
	*bringing = (struct bringing){
		.out = volumes->json ? stderr : stdout,
		.verbose = option_set(&c->options, OPTION_VERBOSE) ||
			   option_set(&c->options, OPTION_DEBUG),
		.timeout = option_number32(&c->options, OPTION_TIMEOUT),
	};
	if (option_set(&c->options, OPTION_BATCH_MODE))
		bringing->out = NULL;
	volumes->events = (struct mortise_events){ .call = handle, .context = bringing };
	return volumes_read(c, volumes);
}
