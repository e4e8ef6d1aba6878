/* SPDX-License-Identifier: MIT */
/* luksHeaderRestore: replace the header of a device by a backup. */
#include <stdio.h>

#include "cli/device.h"
#include "cli/luks/signatures.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

/* cryptsetup refuses these. */
#define LAYOUT (MORTISE_RESTORE_OFFSET | MORTISE_RESTORE_SIZE)

/* cryptsetup's question. */
static bool confirm(const char *device, uint32_t differences)
{
	char text[PATH_MAX + 512];

	snprintf(text, sizeof(text), "Device %s %s%s%s%s", device,
		 differences & MORTISE_RESTORE_NO_HEADER
			 ? "does not contain LUKS2 header. Replacing header can destroy data on "
			   "that device."
			 : "already contains LUKS2 header. Replacing header will destroy existing "
			   "keyslots.",
		 differences & MORTISE_RESTORE_UUID
			 ? "\nWARNING: real device header has different UUID than backup!"
			 : "",
		 differences & MORTISE_RESTORE_REQUIREMENTS
			 ? "\nWARNING: unknown LUKS2 requirements detected in real device header!"
			   "\nReplacing header with backup may corrupt the data on that device!"
			 : "",
		 differences & MORTISE_RESTORE_REENCRYPT
			 ? "\nWARNING: Unfinished offline reencryption detected on the device!"
			   "\nReplacing header with backup may corrupt data."
			 : "");
	return terminal_confirm(text, NULL);
}

/* What cryptsetup does not compare. */
static void warn(const struct paths *paths, const char *file, uint32_t differences)
{
	const char *device = paths->header;

	if (differences & MORTISE_RESTORE_KEY)
		print_to(stderr,
			 PRINT_WARNING "mortise: warning: %s has another volume key than the "
				       "header of %s: data written since will not open\n",
			 file, device);
	if (differences & MORTISE_RESTORE_EPOCH)
		print_to(stderr,
			 PRINT_WARNING "mortise: warning: a TPM may remember a newer header than "
				       "%s; if `mortise up` refuses it, run `mortise up --adopt`\n",
			 file);
	if (differences & MORTISE_RESTORE_IN_USE)
		print_to(stderr, PRINT_WARNING "mortise: warning: %s is mapped or mounted\n",
			 device);
}

/* differences: those of the comparison; one that is not allowed is refused. */
static enum status restore(const struct command *c, const struct mortise_location *where,
			   struct mortise_restore *how, uint32_t differences)
{
	struct mortise_error err = { 0 };

	how->compare_only = false;
	if (!mortise_header_restore(where, how, NULL, &err))
		return STATUS_OK;
	(void)fail(c, &err);
	if (differences & ~how->allow && !c->as_cryptsetup)
		print_to(stderr, "mortise: to restore it anyway, use --force\n");
	return (enum status)mortise_exit_status(err.code);
}

enum status run_luks_header_restore(const struct command *c)
{
	struct mortise_restore how = { .struct_size = sizeof(how), .compare_only = true };
	struct mortise_location where = {
		.struct_size = sizeof(where),
		.events = &signals_events,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
	};
	const bool batch = option_set(&c->options, OPTION_BATCH_MODE);
	struct mortise_error err = { 0 };
	uint32_t differences = 0, refused = 0;
	struct paths paths;

	how.file = option_text(&c->options, OPTION_HEADER_BACKUP_FILE);
	if (!how.file)
		return fail_with(STATUS_USAGE, "Option --header-backup-file is required.");
	paths_find(c, command_word(c, 0), &paths);
	where.device = paths.header;
	where.header = paths.detached ? paths.header : NULL;
	if (header_is_luks1(how.file))
		return fail_with(STATUS_USAGE,
				 "cannot restore %s: it is the backup of a LUKS1 "
				 "header, not LUKS2",
				 how.file);
	if (mortise_header_restore(&where, &how, &differences, &err))
		return fail(c, &err);
	if (!option_set(&c->options, OPTION_FORCE))
		refused = LAYOUT | (c->as_cryptsetup ? 0 : MORTISE_RESTORE_DETACHED);
	how.allow = differences & ~refused;
	if (how.allow != differences)
		return restore(c, &where, &how, differences);
	if (!c->as_cryptsetup)
		warn(&paths, how.file, differences);
	if (!batch && !c->as_cryptsetup && differences & MORTISE_RESTORE_NO_HEADER)
		(void)signatures_show(paths.header);
	if (!batch && !confirm(paths.header, differences))
		return STATUS_USAGE;
	return restore(c, &where, &how, differences);
}
