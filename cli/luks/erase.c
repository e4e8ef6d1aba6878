/* SPDX-License-Identifier: MIT */
/* erase: remove every keyslot that opens the data. */
#include <stdio.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

static uint32_t bound_keyslots(const struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	uint32_t bound = 0;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (mortise_keyslot_info(header, id, &info, NULL) == MORTISE_OK && !info.unbound)
			bound |= UINT32_C(1) << id;
	}
	return bound;
}

enum status run_erase(const struct command *c)
{
	struct mortise_luks2 *header = NULL;
	char warning[PATH_MAX + 160];
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;
	uint32_t bound;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	snprintf(warning, sizeof(warning),
		 "This operation will erase all keyslots on device %s.\n"
		 "Device will become unusable after this operation.",
		 paths.header);
	bound = bound_keyslots(header);
	if (!option_set(&c->options, OPTION_BATCH_MODE) &&
	    !terminal_confirm(warning, "Operation aborted, keyslots were NOT wiped.\n")) {
		status = STATUS_KEY;
		goto out;
	}
	if (mortise_keyslot_remove_all(header, &err))
		status = fail(c, &err);
	bound &= ~bound_keyslots(header);
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (bound & (UINT32_C(1) << id))
			say_slot(c, id, SLOT_REMOVED);
	}
out:
	mortise_luks2_free(&header);
	return status;
}
