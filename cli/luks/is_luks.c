/* SPDX-License-Identifier: MIT */
/* isLuks: report by exit status. */
#include <string.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/signals.h"

enum status run_is_luks(const struct command *c)
{
	struct mortise_location location = { .struct_size = sizeof(location),
					     .events = &signals_events };
	struct mortise_error err = { 0 };
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;
	struct paths paths;

	if (c->word_count > 1)
		return fail_with(STATUS_DEVICE,
				 "Only one device argument for isLuks operation is supported.");
	paths_find(c, command_word(c, 0), &paths);
	location.device = paths.header;
	location.readonly = true;
	location.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS);
	location.luks1 = strcmp(c->type, "luks2") != 0;
	code = mortise_luks2_load(&location, &header, &err);
	/* The probe fails where another signature covers one copy. */
	if (code == MORTISE_OK && header_version(header) == 2)
		code = strcmp(c->type, "luks1") == 0 ? MORTISE_E_NOT_LUKS2
						     : mortise_luks2_probe(&location, &err);
	mortise_luks2_free(&header);
	if (code == MORTISE_E_DEVICE)
		return fail(c, &err);
	if (code != MORTISE_E_UNSUPPORTED)
		return (enum status)mortise_exit_status(code);
	/*
	 * Scripts format a device that is not LUKS. This build cannot open LUKS1, but reporting it
	 * as not LUKS would lose the data.
	 */
	fail(c, &err);
	return STATUS_OK;
}
