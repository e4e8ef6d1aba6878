/* SPDX-License-Identifier: MIT */
/* luksUUID: print the UUID, or set a new one. */
#include <stdio.h>
#include <string.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/luks/seal.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "cli/signals.h"

enum status run_luks_uuid(const struct command *c)
{
	const char *uuid = option_text(&c->options, OPTION_UUID);
	struct mortise_location location = { .struct_size = sizeof(location),
					     .events = &signals_events };
	struct mortise_luks2 *header = NULL;
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	enum mortise_code code;
	struct paths paths;

	paths_find(c, command_word(c, 0), &paths);
	location.device = paths.header;
	location.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS);
	location.luks1 = strcmp(c->type, "luks2") != 0;
	code = mortise_luks2_load(&location, &header, &err);
	if (code == MORTISE_OK && strcmp(c->type, "luks1") == 0 && header_version(header) != 1) {
		mortise_luks2_free(&header);
		return STATUS_USAGE;
	}
	/* As in cryptsetup, a device that is not LUKS is reported by exit status only. */
	if (code == MORTISE_E_NOT_LUKS2)
		return STATUS_USAGE;
	if (code != MORTISE_OK)
		return fail(c, &err);
	(void)mortise_header_info(header, &info, NULL);
	if (!uuid) {
		print("%s\n", info.uuid);
	} else if (strcmp(uuid, info.uuid) != 0) {
		if (!option_set(&c->options, OPTION_BATCH_MODE) &&
		    !terminal_confirm("Do you really want to change UUID of device?",
				      "Operation aborted.\n"))
			status = STATUS_KEY;
		else if (mortise_header_set_uuid(header, uuid, &err))
			status = fail(c, &err);
		else
			seal_warn_after_change(c, header);
	}
	mortise_luks2_free(&header);
	return status;
}
