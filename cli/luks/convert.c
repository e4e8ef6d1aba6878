/* SPDX-License-Identifier: MIT */
/* convert: change the version of a header, LUKS1 or LUKS2. */
#include <stdio.h>
#include <string.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

enum status run_convert(const struct command *c)
{
	const uint32_t version = strcmp(c->type, "luks1") == 0 ? 1 : 2;
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	char question[PATH_MAX + 80];
	struct paths paths;
	enum status status;

	if (strcmp(c->type, "luks") == 0)
		return fail_with(STATUS_USAGE,
				 "Invalid LUKS type, only luks1 and luks2 are supported.");
	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	if (header_version(header) == version) {
		status = fail_with(STATUS_USAGE, "Device is already LUKS%u type.", version);
		goto out;
	}
	snprintf(question, sizeof(question), "This operation will convert %s to LUKS%u format.\n",
		 paths.header, version);
	if (!option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm(question, "Operation aborted, device was NOT converted.\n"))
		status = STATUS_KEY;
	else if (mortise_convert(header, version, &err))
		status = fail(c, &err);
out:
	mortise_luks2_free(&header);
	return status;
}
