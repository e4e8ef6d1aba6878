/* SPDX-License-Identifier: MIT */
/* repair: rewrite a damaged header copy, and remove what is left over. */
#include "cli/device.h"
#include "cli/luks/seal.h"
#include "cli/luks/signatures.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

struct shown {
	const char *prefix; /* NULL: only count */
	unsigned count;
};

static bool show(void *context, const struct mortise_finding *finding)
{
	struct shown *shown = context;

	shown->count++;
	if (shown->prefix)
		print("mortise: %s%s\n", shown->prefix, finding->text);
	return true;
}

/* cryptsetup rewrites a copy silently, unless another signature or an error prevents it. */
static enum mortise_code load(const struct mortise_location *where, struct mortise_error *err)
{
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_luks2_load(where, &header, err);

	mortise_luks2_free(&header);
	return code;
}

/* The number of findings that a repair would mend, each shown with prefix. */
static unsigned look(const struct mortise_location *where, const char *prefix,
		     struct mortise_error *err)
{
	struct shown shown = { .prefix = prefix };
	const struct mortise_repair how = {
		.struct_size = sizeof(how), .dry_run = true, .report = show, .context = &shown
	};

	return mortise_repair(where, &how, err) ? 0 : shown.count;
}

static enum status dry_run(const struct command *c, const struct mortise_location *where)
{
	struct mortise_error err = { 0 };
	const unsigned count = look(where, "would repair: ", &err);

	if (err.code)
		return fail(c, &err);
	if (!count)
		print("No known problems detected for LUKS header.\n");
	return STATUS_OK;
}

static enum status repair(const struct command *c, const struct mortise_location *where)
{
	const struct mortise_repair how = { .struct_size = sizeof(how),
					    .over_foreign = true,
					    .copies_only = c->as_cryptsetup };
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };

	if (mortise_repair(where, &how, &err))
		return fail(c, &err);
	if (!mortise_luks2_load(where, &header, NULL))
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return STATUS_OK;
}

enum status run_repair(const struct command *c)
{
	const bool batch = option_set(&c->options, OPTION_BATCH_MODE);
	struct mortise_location where = { .struct_size = sizeof(where), .events = &signals_events };
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	unsigned count = 0;
	struct paths paths;

	paths_find(c, command_word(c, 0), &paths);
	where.device = paths.device;
	where.header = paths.detached ? paths.header : NULL;
	if (header_is_luks1(paths.header))
		return fail_with(STATUS_USAGE,
				 "cannot repair the header of %s: it is LUKS1, not LUKS2",
				 paths.header);
	if (option_set(&c->options, OPTION_DRY_RUN))
		return dry_run(c, &where);
	if (!c->as_cryptsetup)
		count = look(&where, "", NULL);
	/* A copy that nothing else covers is rewritten without a question, as in cryptsetup. */
	if (load(&where, &err) == MORTISE_E_DEVICE)
		return fail(c, &err);
	if (!err.code) {
		if (!count)
			verbose(c, "No known problems detected for LUKS header.");
		if (!count || !look(&where, NULL, NULL))
			return STATUS_OK;
	} else if (!batch) {
		status = signatures_find(paths.header, 0, SIGNATURES_FOREIGN, NULL);
	}
	if (status != STATUS_OK)
		return status;
	if (!batch &&
	    !terminal_confirm("Really try to repair LUKS device header?", "Operation aborted.\n"))
		return STATUS_USAGE;
	return repair(c, &where);
}
