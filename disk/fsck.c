/* SPDX-License-Identifier: MIT */
#include "disk/fsck.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/spawn.h"

/* Bits of e2fsck's exit status. */
enum {
	FSCK_CORRECTED = 1,
	FSCK_REBOOT = 2, /* corrected, too: matters only for a mounted root file system */
	FSCK_ERRORS_LEFT = 4,
	FSCK_CANCELED = 32,
};

/* btrfs check ends with this status for errors and for its own failures. */
#define BTRFS_FAILED 1

const char *disk_fsck_program(const char *type, bool force)
{
	if (!strcmp(type, "ext4"))
		return "e2fsck";
	return force && !strcmp(type, "btrfs") ? "btrfs" : NULL;
}

const char *disk_fsck_command(const char *type)
{
	if (!strcmp(type, "ext4"))
		return "e2fsck -f";
	return strcmp(type, "btrfs") != 0 ? "xfs_repair" : "btrfs check";
}

/* Joins the lines of the output, without the device's name before each of them. */
static void join_lines(const char *output, const char *device, char *text, size_t room)
{
	const size_t name = strlen(device);
	size_t used = 0;

	text[0] = '\0';
	while (*output && used + 1 < room) {
		const size_t length = strcspn(output, "\n");
		const bool named = !strncmp(output, device, name) && output[name] == ':';
		const size_t skipped = named ? name + 1 + (output[name + 1] == ' ') : 0;

		if (length > skipped)
			used += (size_t)snprintf(text + used, room - used, "%s%.*s",
						 used ? "; " : "", (int)(length - skipped),
						 output + skipped);
		output += length + (output[length] == '\n');
	}
}

static enum mortise_code judge_e2fsck(int status, const char *output, const char *device,
				      char *found, size_t room, struct mortise_error *err)
{
	char lines[300];

	join_lines(output, device, lines, sizeof(lines));
	if (status & FSCK_ERRORS_LEFT)
		return error_set(err, MORTISE_E_CORRUPT, 0, "%s", lines);
	if (status & FSCK_CANCELED)
		return error_set(err, MORTISE_E_CANCELED, 0, "the check was canceled");
	if (status & ~(FSCK_CORRECTED | FSCK_REBOOT))
		return error_set(err, MORTISE_E_SYSTEM, 0, "e2fsck failed with status %d: %s",
				 status, lines);
	if (status)
		snprintf(found, room, "corrected: %s", lines);
	else
		snprintf(found, room, "clean");
	return MORTISE_OK;
}

enum mortise_code disk_fsck(const struct mortise_events *events, const char *type, bool force,
			    const char *device, char *found, size_t room, struct mortise_error *err)
{
	char e2fsck[] = "e2fsck", preen[] = "-p", all[] = "-f", btrfs[] = "btrfs",
	     check[] = "check", readonly[] = "--readonly", node[512], output[2048], lines[300];
	const bool ext4 = !strcmp(type, "ext4");
	char *argv[5] = { btrfs, check, readonly, node, NULL };
	enum mortise_code code;
	int status = 0;

	found[0] = '\0';
	if (!disk_fsck_program(type, force))
		return MORTISE_OK;
	snprintf(node, sizeof(node), "%s", device);
	if (ext4) {
		argv[0] = e2fsck;
		argv[1] = preen;
		argv[2] = force ? all : node;
		argv[3] = force ? node : NULL;
	}
	code = spawn_status(events, argv, output, sizeof(output), &status, err);
	if (code)
		return code;
	if (ext4)
		return judge_e2fsck(status, output, device, found, room, err);
	join_lines(output, device, lines, sizeof(lines));
	if (status)
		return error_set(err, status == BTRFS_FAILED ? MORTISE_E_CORRUPT : MORTISE_E_SYSTEM,
				 0, "%s", lines);
	snprintf(found, room, "clean");
	return MORTISE_OK;
}
