/* SPDX-License-Identifier: MIT */
/* apply: check a configuration, show the plan, store the configuration, and execute the plan. */
#include <stdio.h>
#include <unistd.h>

#include "cli/declared/json.h"
#include "cli/declared/opened.h"
#include "cli/declared/plan_print.h"
#include "cli/declared/reboot.h"
#include "cli/declared/report.h"
#include "cli/declared/up_console.h"
#include "cli/output.h"
#include "cli/verbs.h"

const char *check_apply(const struct command *c)
{
	bool dry = option_set(&c->options, OPTION_DRY_RUN);
	bool staged = option_set(&c->options, OPTION_STAGED);

	if (!option_set(&c->options, OPTION_FILE))
		return "apply: requires -f FILE";
	if (c->word_count > 0)
		return "apply: takes no volumes; the whole configuration is applied";
	if (dry && option_set(&c->options, OPTION_REBOOT))
		return "Options --dry-run and --reboot cannot be used at the same time.";
	if (dry && staged)
		return "Options --dry-run and --staged cannot be used at the same time.";
	/* The PCR is extended once all volumes are ready; these runs open none. */
	if ((dry || staged) && option_set(&c->options, OPTION_EXTEND_PCR))
		return dry ? "Option --extend-pcr is not allowed with --dry-run."
			   : "Option --extend-pcr is not allowed with --staged.";
	if (staged && (option_set(&c->options, OPTION_SYSTEM_DISK) ||
		       option_set(&c->options, OPTION_RECREATE)))
		return "Options --system-disk and --recreate are not allowed with --staged.";
	if (staged && option_set(&c->options, OPTION_RECOVERY_DIR))
		return "Option --recovery-dir is not allowed with --staged.";
	return NULL;
}

/* Prints the plan as JSON, or the error; for runs that execute no plan. */
static enum status finish_without_report(const struct command *c, const struct volumes *volumes,
					 const struct mortise_error *err)
{
	enum status status = STATUS_OK, printed = STATUS_OK;
	struct json_object *document;

	if (err->code != MORTISE_OK)
		status = volumes_fail(c, err);
	if (volumes->json) {
		document = json_document(volumes->config, c->verb->name);
		plan_add_json(document, volumes->plan);
		json_add_error(document, err);
		printed = json_print(document);
	}
	return status == STATUS_OK ? printed : status;
}

static enum status dry_run(const struct command *c, const struct volumes *volumes)
{
	const struct mortise_error success = { .code = MORTISE_OK };
	enum status status = finish_without_report(c, volumes, &success);

	return status == STATUS_OK ? plan_status(volumes->plan) : status;
}

static void warn_of_default(const struct command *c)
{
	if (access(VOLUMES_CONFIG_DEFAULT, F_OK) == 0 &&
	    !option_set(&c->options, OPTION_BATCH_MODE))
		print_to(stderr, PRINT_NOTICE
			 "mortise: note: as long as " VOLUMES_CONFIG_DEFAULT " exists, "
			 "`mortise up` reads it instead of the stored configuration\n");
}

static enum status stage(const struct command *c, struct volumes *volumes)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	enum status status;

	err.code = mortise_apply(volumes->config, &volumes->options, true, volumes->plan, &report,
				 &err);
	if (err.code == MORTISE_OK)
		warn_of_default(c);
	status = finish_without_report(c, volumes, &err);
	if (status == STATUS_OK && !volumes->json)
		print("Stored. It takes effect at the next `mortise up`.\n");
	mortise_report_free(&report);
	return status;
}

static enum status apply(const struct command *c, struct volumes *volumes)
{
	struct mortise_report *report = NULL;
	struct mortise_error err = { 0 };
	enum status status;

	err.code = mortise_apply(volumes->config, &volumes->options, false, volumes->plan, &report,
				 &err);
	opened_add(volumes, report);
	if (err.code == MORTISE_OK)
		warn_of_default(c);
	status = report_print(c, volumes, report, MORTISE_PHASE_READY, &err);
	mortise_report_free(&report);
	return status;
}

enum status run_apply(const struct command *c)
{
	struct mortise_error err = { 0 };
	struct up_console console;
	struct volumes volumes;
	enum status status;

	status = reboot_check(c);
	if (status == STATUS_OK)
		status = up_console_begin(c, &volumes, &console);
	if (status != STATUS_OK)
		return status;
	if (mortise_config_add_state(volumes.config, &err) ||
	    mortise_plan_make(volumes.config, &volumes.options, &volumes.plan, &err)) {
		status = finish_without_report(c, &volumes, &err);
		goto out;
	}
	plan_print_notes(c, volumes.plan);
	if (!volumes.json && console.out) {
		plan_print(volumes.plan);
		/* Another run may hold the lock for long: print the plan before waiting for it. */
		fflush(stdout);
	}
	if (option_set(&c->options, OPTION_DRY_RUN))
		status = dry_run(c, &volumes);
	else if (option_set(&c->options, OPTION_STAGED))
		status = stage(c, &volumes);
	else
		status = apply(c, &volumes);
out:
	volumes_close(&volumes);
	return reboot_end(c, status);
}
