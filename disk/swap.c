/* SPDX-License-Identifier: MIT */
#include "disk/swap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "base/error.h"
#include "base/mountinfo.h"
#include "base/spawn.h"

#define LABEL_LENGTH 15 /* of sws_volume in the header, without its NUL */

bool disk_swap_find(dev_t number, char path[static PATH_MAX])
{
	FILE *file = fopen("/proc/swaps", "re");
	bool found = false;
	char *line = NULL;
	size_t room = 0;
	struct stat st;

	while (file && !found && getline(&line, &room, file) > 0) {
		if (*line != '/' || sscanf(line, "%4095s", path) != 1)
			continue;
		mountinfo_unescape(path);
		found = !stat(path, &st) &&
			(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev) == number;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

bool disk_swap_is_on(const char *device)
{
	char path[PATH_MAX];
	struct stat st;

	return !stat(device, &st) && S_ISBLK(st.st_mode) && disk_swap_find(st.st_rdev, path);
}

bool disk_swap_may_replace(const struct disk_probe *probe, bool encrypted, char *why, size_t room)
{
	if (probe->content == DISK_EMPTY ||
	    (probe->content == DISK_OTHER &&
	     (!strcmp(probe->type, "swap") || (encrypted && probe->unknown))))
		return true;
	/* libblkid's name for the image of a suspended system. */
	if (!strcmp(probe->type, "swsuspend"))
		snprintf(why, room,
			 "it holds the image of a system that was suspended to disk and may "
			 "resume");
	else
		snprintf(why, room, "it holds %.100s",
			 *probe->type ? probe->type : "an interrupted LUKS2 format");
	return false;
}

enum mortise_code disk_swap_make(const struct mortise_events *events, const char *name,
				 bool encrypted, const char *device, struct mortise_error *err)
{
	char program[] = "mkswap", label_option[] = "-L", label[LABEL_LENGTH + 1];
	char node[512], output[512], why[256];
	char *argv[] = { program, label_option, label, node, NULL };
	struct disk_probe probe;
	enum mortise_code code = disk_probe(device, events, &probe, err);

	if (code)
		return code;
	if (!disk_swap_may_replace(&probe, encrypted, why, sizeof(why)))
		return error_set(err, MORTISE_E_NOT_EMPTY, 0, "cannot create a swap area on %s: %s",
				 device, why);
	snprintf(node, sizeof(node), "%s", device);
	/* A long name is cut: nothing looks the label up. */
	snprintf(label, sizeof(label), "%s", name);
	return spawn(events, argv, output, sizeof(output), err);
}

enum mortise_code disk_swap_on(const char *device, struct mortise_error *err)
{
	if (swapon(device, 0))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, errno,
				 "cannot switch on swap area %s", device);
	return MORTISE_OK;
}

enum mortise_code disk_swap_off(const char *device, struct mortise_error *err)
{
	/* EINVAL: it is not active. */
	if (swapoff(device) && errno != EINVAL)
		return error_set(err, errno == ENOMEM ? MORTISE_E_MEMORY : MORTISE_E_BUSY, errno,
				 "cannot switch off swap area %s", device);
	return MORTISE_OK;
}
