/* SPDX-License-Identifier: MIT */
/* luksHeaderBackup: store the header and all keyslots in a new file. */
#include "cli/device.h"
#include "cli/print.h"
#include "cli/verbs.h"

enum status run_luks_header_backup(const struct command *c)
{
	const char *file = option_text(&c->options, OPTION_HEADER_BACKUP_FILE);
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;

	if (!file)
		return fail_with(STATUS_USAGE, "Option --header-backup-file is required.");
	paths_find(c, command_word(c, 0), &paths);
	if (header_is_luks1(paths.header))
		return fail_with(STATUS_USAGE,
				 "cannot back up the header of %s: it is LUKS1, not LUKS2",
				 paths.header);
	status = header_load(c, &paths, "LUKS", &header);
	if (status == STATUS_OK && mortise_header_backup(header, file, &err))
		status = fail(c, &err);
	mortise_luks2_free(&header);
	return status;
}
