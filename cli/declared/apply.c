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

/* The plan, and that nothing or no more than storing it was done. */
static enum status show(const struct command *c, const struct volumes *volumes,
			const struct mortise_plan *plan, const struct mortise_error *err)
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
		plan_json(document, plan);
		json_add_error(document, err);
		printed = json_print(document);
		return status == STATUS_OK ? printed : status;
	}
	if (status == STATUS_OK && option_set(&c->options, OPTION_STAGED))
		printf("Stored. The next `mortise up` goes by it.\n");
	return status;
}

/* What is stored would not be looked at. */
static void warn_of_default(const struct command *c)
{
	if (access(VOLUMES_CONFIG_DEFAULT, F_OK) == 0 &&
	    !option_set(&c->options, OPTION_BATCH_MODE))
		fprintf(stderr, "mortise: note: `mortise up` reads " VOLUMES_CONFIG_DEFAULT
				" rather than what is stored, as long as that file is there\n");
}

static enum status apply(const struct command *c, struct volumes *volumes,
			 const struct bringing *bringing, const struct mortise_plan *plan)
{
	bool staged = option_set(&c->options, OPTION_STAGED);
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };

	volumes->options.plan = plan;
	if (mortise_apply(volumes->config, &volumes->options, staged, &bringing->watch, &report,
			  &err) == MORTISE_OK) {
		err.code = MORTISE_OK;
		warn_of_default(c);
	}
	if (staged)
		return show(c, volumes, plan, &err);
	return volumes_finish(c, volumes, report, MORTISE_PHASE_READY, &err);
}

enum status run_apply(const struct command *c)
{
	struct mortise_plan *plan = NULL;
	struct mortise_error err = { 0 };
	struct bringing bringing;
	struct volumes volumes;
	enum status status = bringing_begin(c, &volumes, &bringing);

	if (status != STATUS_OK)
		return status;
	if (mortise_config_add_state(volumes.config, &err) ||
	    mortise_plan_make(volumes.config, &volumes.options, &plan, &err)) {
		status = show(c, &volumes, NULL, &err);
		goto out;
	}
	err.code = MORTISE_OK;
	plan_print_notes(c, plan);
	if (!volumes.json && bringing.out) {
		plan_print(plan);
		/* Another run may hold the lock for long: what waits for it is known before. */
		fflush(stdout);
	}
	if (option_set(&c->options, OPTION_DRY_RUN)) {
		status = show(c, &volumes, plan, &err);
		status = status == STATUS_OK ? plan_judge(plan) : status;
	} else {
		status = apply(c, &volumes, &bringing, plan);
	}
out:
	mortise_plan_free(&plan);
	volumes_close(&volumes);
	return status;
}
