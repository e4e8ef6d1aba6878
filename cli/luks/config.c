/* SPDX-License-Identifier: MIT */
/* config: set labels of the header and the priority of a keyslot. */
#include <string.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/luks/seal.h"
#include "cli/verbs.h"

static enum mortise_priority priority_of(const char *word)
{
	if (strcmp(word, "prefer") == 0)
		return MORTISE_PRIORITY_PREFER;
	return strcmp(word, "ignore") == 0 ? MORTISE_PRIORITY_IGNORE : MORTISE_PRIORITY_NORMAL;
}

enum status run_config(const struct command *c)
{
	const char *priority = option_text(&c->options, OPTION_PRIORITY);
	const char *label = option_text(&c->options, OPTION_LABEL);
	const char *subsystem = option_text(&c->options, OPTION_SUBSYSTEM);
	int keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;

	if (!priority && !label && !subsystem)
		return fail_with(STATUS_USAGE,
				 "Option --priority, --label or --subsystem is missing.");
	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS2", &header);
	if (status != STATUS_OK)
		return status;
	if (priority &&
	    mortise_keyslot_set_priority(header, keyslot, priority_of(priority), &err)) {
		status = fail(c, &err);
		goto out;
	}
	/* As in cryptsetup, a label that is not given is cleared. */
	if ((label || subsystem) &&
	    mortise_header_set_label(header, label ? label : "", subsystem ? subsystem : "", &err))
		status = fail(c, &err);
	else if (priority)
		seal_warn_after_change(c, header);
out:
	mortise_luks2_free(&header);
	return status;
}
