/* SPDX-License-Identifier: MIT */
/* While volumes are brought up: each step is said as it begins, and a recovery key asked for. */
#include "cli/declared/up_console.h"

#include <string.h>

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

static void tell(void *context, const struct mortise_step *step, bool done,
		 const struct mortise_error *err)
{
	const struct bringing *bringing = context;

	if (!bringing->out)
		return;
	/* Such a step has said why it fails as it began. */
	if (done && step->kind >= MORTISE_STEP_WAIT)
		return;
	if (done && err && err->code != MORTISE_OK) {
		fprintf(bringing->out, "%s: failed: %s\n", step->volume, err->text);
	} else if (done) {
		if (bringing->verbose)
			fprintf(bringing->out, "%s: done: %s\n", step->volume, step->text);
	} else if (step->kind >= MORTISE_STEP_WAIT) {
		fprintf(bringing->out, "%s: %s\n", step->volume, step->text);
	} else {
		fprintf(bringing->out, "%s: %s %s", step->volume, doing[step->kind], step->device);
		if (step->keyslot >= 0)
			fprintf(bringing->out, ", slot %d", step->keyslot);
		fprintf(bringing->out, " ...\n");
	}
	/* What is on the console when the power goes is the step that was under way. */
	fflush(bringing->out);
}

/* An empty line is the answer of somebody who has no recovery key. */
static bool ask(void *context, const char *volume, const char *device, unsigned tries_left,
		struct mortise_secret **typed)
{
	struct bringing *bringing = context;
	char prompt[PATH_MAX + 256];

	(void)tries_left;
	if (strcmp(bringing->asked, volume) == 0)
		fprintf(stderr, "No key available with this recovery key.\n");
	snprintf(bringing->asked, sizeof(bringing->asked), "%s", volume);
	snprintf(prompt, sizeof(prompt), "Recovery key for %s (%s): ", volume, device);
	if (terminal_read_passphrase(prompt, bringing->timeout, typed) != STATUS_OK)
		return false;
	if (mortise_secret_size(*typed) > 0)
		return true;
	mortise_secret_free(typed);
	*typed = NULL;
	return false;
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
		.watch = { .call = tell, .context = bringing },
	};
	if (option_set(&c->options, OPTION_BATCH_MODE))
		bringing->out = NULL;
	if (option_set(&c->options, OPTION_RECOVERY))
		volumes->options.recovery =
			(struct mortise_ask){ .call = ask, .context = bringing };
	return volumes_read(c, volumes, &bringing->watch);
}
