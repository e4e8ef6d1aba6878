/* SPDX-License-Identifier: MIT */
/* close: remove a mapping, now or when its last user closes it. */
#include <stdio.h>

#include "cli/print.h"
#include "cli/verbs.h"

enum status run_close(const struct command *c)
{
	bool deferred = option_set(&c->options, OPTION_DEFERRED);
	enum mortise_deactivation how = MORTISE_CLOSE_NOW;
	const char *name = command_mapping(c, 0);
	struct mortise_error err = { 0 };
	enum mortise_code code;
	enum status status;

	if (deferred)
		how = MORTISE_CLOSE_DEFERRED;
	else if (option_set(&c->options, OPTION_CANCEL_DEFERRED))
		how = MORTISE_CLOSE_CANCEL_DEFERRED;
	code = mortise_deactivate(name, how, &err);
	if (code != MORTISE_OK) {
		status = fail(c, &err);
		/* Scripts take status 4 as "nothing to close", which is true without device-mapper. */
		return code == MORTISE_E_KERNEL ? STATUS_DEVICE : status;
	}
	if (deferred && mortise_is_active(name, NULL) == MORTISE_OK)
		print("Device %s is still active and scheduled for deferred removal.\n", name);
	return STATUS_OK;
}
