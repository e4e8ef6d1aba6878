/* SPDX-License-Identifier: MIT */
/* up: bring the declared volumes to ready, saying each step as it begins; --recovery asks. */
#include <stdio.h>
#include <string.h>

#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "cli/volumes.h"

struct teller {
	FILE *out; /* NULL with -q */
	bool verbose;
};

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
	const struct teller *teller = context;

	if (!teller->out)
		return;
	if (done && err && err->code != MORTISE_OK) {
		fprintf(teller->out, "%s: failed: %s\n", step->volume, err->text);
	} else if (done) {
		if (teller->verbose)
			fprintf(teller->out, "%s: done: %s\n", step->volume, step->text);
	} else if (step->kind >= MORTISE_STEP_WAIT) {
		fprintf(teller->out, "%s: %s\n", step->volume, step->text);
	} else {
		fprintf(teller->out, "%s: %s %s", step->volume, doing[step->kind], step->device);
		if (step->keyslot >= 0)
			fprintf(teller->out, ", slot %d", step->keyslot);
		fprintf(teller->out, " ...\n");
	}
	/* What is on the console when the power goes is the step that was under way. */
	fflush(teller->out);
}

struct asker {
	uint32_t timeout;		   /* seconds, 0 for none */
	char volume[MORTISE_NAME_MAX + 1]; /* that was asked for last */
};

/* An empty line is the answer of somebody who has no recovery key. */
static bool ask(void *context, const char *volume, const char *device, unsigned tries_left,
		struct mortise_secret **typed)
{
	struct asker *asker = context;
	char prompt[PATH_MAX + 256];

	(void)tries_left;
	if (strcmp(asker->volume, volume) == 0)
		fprintf(stderr, "No key available with this recovery key.\n");
	snprintf(asker->volume, sizeof(asker->volume), "%s", volume);
	snprintf(prompt, sizeof(prompt), "Recovery key for %s (%s): ", volume, device);
	if (terminal_read_passphrase(prompt, asker->timeout, typed) != STATUS_OK)
		return false;
	if (mortise_secret_size(*typed) > 0)
		return true;
	mortise_secret_free(*typed);
	*typed = NULL;
	return false;
}

enum status run_up(const struct command *c)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status;
	struct asker asker = { .timeout = option_number32(&c->options, OPTION_TIMEOUT) };
	struct teller teller;
	const struct mortise_watch watch = { .call = tell, .context = &teller };

	status = volumes_open(c, &volumes);
	if (status != STATUS_OK)
		return status;
	teller.out = volumes.json ? stderr : stdout;
	if (option_set(&c->options, OPTION_BATCH_MODE))
		teller.out = NULL;
	teller.verbose =
		option_set(&c->options, OPTION_VERBOSE) || option_set(&c->options, OPTION_DEBUG);
	if (option_set(&c->options, OPTION_RECOVERY))
		volumes.options.recovery = (struct mortise_ask){ .call = ask, .context = &asker };
	if (mortise_up(volumes.config, &volumes.options, &watch, &report, &err) == MORTISE_OK)
		err.code = MORTISE_OK;
	status = volumes_finish(c, &volumes, report, MORTISE_PHASE_READY, &err);
	volumes_close(&volumes);
	return status;
}
