/* SPDX-License-Identifier: MIT */
/* luksSuspend: freeze a mapping, and make the kernel forget its key. */
#include "cli/print.h"
#include "cli/verbs.h"

enum status run_luks_suspend(const struct command *c)
{
	const char *name = command_mapping(c, 0);
	struct mortise_error err = { 0 };
	enum mortise_code code = mortise_suspend(name, &err);

	if (code == MORTISE_E_INACTIVE)
		return fail_with(STATUS_DEVICE, "Device %s is not active.", name);
	return code ? fail(c, &err) : STATUS_OK;
}
