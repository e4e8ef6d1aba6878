/* SPDX-License-Identifier: MIT */
/* check: report what is wrong with a header, and weak choices; never write. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"

struct shown {
	bool json;
	unsigned warnings, errors;
};

/* Prints "NAME": "TEXT". */
static void print_member(const char *name, const char *text)
{
	char quoted[2 * PATH_MAX];
	size_t used = 0;

	for (; *text && used + 3 < sizeof(quoted); text++) {
		if (*text == '"' || *text == '\\')
			quoted[used++] = '\\';
		quoted[used++] = *text;
	}
	quoted[used] = '\0';
	print("\"%s\": \"", name);
	print_json(quoted);
	print("\"");
}

static void show_json(const struct mortise_finding *finding, bool first)
{
	print("%s\n    {", first ? "" : ",");
	print_member("severity", finding->error ? "error" : "warning");
	print(", ");
	print_member("kind", mortise_finding_name(finding->kind));
	if (finding->offset != UINT64_MAX)
		print(", \"offset\": %" PRIu64, finding->offset);
	print(", \"repairable\": %s, ", finding->repairable ? "true" : "false");
	print_member("text", finding->text);
	print(", ");
	print_member("remedy", finding->remedy);
	print("}");
}

static bool show(void *context, const struct mortise_finding *finding)
{
	struct shown *shown = context;

	if (shown->json)
		show_json(finding, !shown->warnings && !shown->errors);
	else
		print("%s: %s%s%s\n", finding->error ? "error" : "warning", finding->text,
		      finding->remedy[0] != '\0' ? "; " : "", finding->remedy);
	shown->errors += finding->error;
	shown->warnings += !finding->error;
	return true;
}

enum status run_check(const struct command *c)
{
	struct shown shown = { .json = option_set(&c->options, OPTION_JSON) };
	const struct mortise_check how = {
		.struct_size = sizeof(how),
		.backup = option_text(&c->options, OPTION_HEADER_BACKUP_FILE),
		.report = show,
		.context = &shown,
	};
	struct mortise_location where = {
		.struct_size = sizeof(where),
		.events = &signals_events,
		.readonly = true,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
	};
	struct mortise_error err = { 0 };
	enum mortise_code code;
	struct paths paths;

	paths_find(c, command_word(c, 0), &paths);
	where.device = paths.device;
	where.header = paths.detached ? paths.header : NULL;
	if (header_is_luks1(paths.header))
		return fail_with(STATUS_USAGE,
				 "cannot check the header of %s: it is LUKS1, not "
				 "LUKS2",
				 paths.header);
	if (shown.json) {
		print("{\n  \"mortise\": \"" MORTISE_VERSION "\",\n  ");
		print_member("device", paths.header);
		print(",\n  \"findings\": [");
	}
	code = mortise_check(&where, &how, &err);
	if (shown.json) {
		print("],\n  ");
		print_member("error", code ? err.text : "");
		print("\n}\n");
	}
	if (code)
		return fail(c, &err);
	if (!shown.json && !shown.errors && !shown.warnings)
		verbose(c, "No known problems detected for LUKS header.");
	return shown.errors ? STATUS_ERRORS : shown.warnings ? STATUS_WARNINGS : STATUS_OK;
}
