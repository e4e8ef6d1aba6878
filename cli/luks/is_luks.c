/* SPDX-License-Identifier: MIT */
/* isLuks: report by exit status. */
#include "cli/device.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/signals.h"

enum status run_is_luks(const struct command *c)
{
	struct mortise_location location = { .struct_size = sizeof(location),
					     .events = &signals_events };
	struct mortise_error err = { 0 };
	enum mortise_code code;
	struct paths paths;

	if (c->word_count > 1)
		return fail_with(STATUS_DEVICE,
				 "Only one device argument for isLuks operation is supported.");
	paths_find(c, command_word(c, 0), &paths);
	location.device = paths.header;
	location.readonly = true;
	location.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS);
	code = mortise_luks2_probe(&location, &err);
	if (code == MORTISE_OK)
		return STATUS_OK;
	if (code == MORTISE_E_DEVICE)
		return fail(c, &err);
	/*
	 * Scripts format a device that is not LUKS. mortise cannot open LUKS1, but reporting it as
	 * not LUKS would lose the data.
	 */
	if (c->type[4] == '\0' && header_is_luks1(paths.header))
		return STATUS_OK;
	return (enum status)mortise_exit_status(code);
}
