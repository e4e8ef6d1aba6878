/* SPDX-License-Identifier: MIT */
/* apply: check a configuration, show what it would do, store it in the machine, and do it. */
#include <stdio.h>
#include <unistd.h>

#include "cli/declared/up_console.h"
#include "cli/declared/plan_print.h"
#include "cli/print.h"
#include "cli/verbs.h"

const char *check_apply(const struct command *c)
{
	bool dry = option_set(&c->options, OPTION_DRY_RUN);
	bool staged = option_set(&c->options, OPTION_STAGED);

	if (!option_set(&c->options, OPTION_FILE))
		return "apply: requires -f FILE";
	if (c->word_count > 0)
		return "apply: a configuration is applied as a whole; it takes no volumes";
	if (dry && staged)
		return "Options --dry-run and --staged cannot be used at the same time.";
	/* No volume is brought up, after which it would be done. */
	if ((dry || staged) && option_set(&c->options, OPTION_EXTEND_PCR))
		return dry ? "Option --extend-pcr is not allowed with --dry-run."
			   : "Option --extend-pcr is not allowed with --staged.";
	return NULL;
}

/* Ends a run that changed no volume: the plan as JSON, or that the configuration is stored. */
static enum status show(const struct command *c, const struct volumes *volumes,
			const struct mortise_error *err)
{
	struct json_object *document;
	enum status status = STATUS_OK;

	if (err->code != MORTISE_OK) {
		fprintf(stderr, "mortise: ");
		status = fail(c, err);
	}
	if (volumes->json) {
		enum status printed;

		document = volumes_json(volumes->config, c->verb->name);
		plan_json(document, volumes->plan);
		json_add_error(document, err);
		printed = json_print(document);
		return status == STATUS_OK ? printed : status;
	}
	if (status == STATUS_OK && option_set(&c->options, OPTION_STAGED))
		printf("Stored. It takes effect at the next `mortise up`.\n");
	return status;
}

/* The stored configuration would not be read. */
static void warn_of_default(const struct command *c)
{
	if (access(VOLUMES_CONFIG_DEFAULT, F_OK) == 0 &&
	    !option_set(&c->options, OPTION_BATCH_MODE))
		fprintf(stderr, "mortise: note: `mortise up` reads " VOLUMES_CONFIG_DEFAULT
				" rather than what is stored, as long as that file is there\n");
}

static enum status apply(const struct command *c, struct volumes *volumes)
{
	bool staged = option_set(&c->options, OPTION_STAGED);
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };

	if (mortise_apply(volumes->config, &volumes->options, staged, volumes->plan, &report,
			  &err) == MORTISE_OK) {
		err.code = MORTISE_OK;
		warn_of_default(c);
	}
	if (staged)
		return show(c, volumes, &err);
	return volumes_finish(c, volumes, report, MORTISE_PHASE_READY, &err);
}

enum status run_apply(const struct command *c)
{
	struct mortise_error err = { 0 };
	struct bringing bringing;
	struct volumes volumes;
	enum status status = bringing_begin(c, &volumes, &bringing);

	if (status != STATUS_OK)
		return status;
	if (mortise_config_add_state(volumes.config, &err) ||
	    mortise_plan_make(volumes.config, &volumes.options, &volumes.plan, &err)) {
		status = show(c, &volumes, &err);
		goto out;
	}
	err.code = MORTISE_OK;
	plan_print_notes(c, volumes.plan);
	if (!volumes.json && bringing.out) {
		plan_print(volumes.plan);
		/* Another run may hold the lock for long: print the plan before waiting for it. */
		fflush(stdout);
	}
	if (option_set(&c->options, OPTION_DRY_RUN)) {
		status = show(c, &volumes, &err);
		status = status == STATUS_OK ? plan_judge(volumes.plan) : status;
	} else {
		status = apply(c, &volumes);
	}
out:
	volumes_close(&volumes);
	return status;
}
