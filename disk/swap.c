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
#include "disk/signatures.h"

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

bool disk_swap_may_replace(const struct disk_probe *probe, const char *device, char *why,
			   size_t room)
{
	if (probe->swap == DISK_SWAP_SUSPENDED) {
		snprintf(why, room,
			 "it holds the image of a system that was suspended to disk and may "
			 "resume; resume it, or discard the image with `mkswap -f %.255s`",
			 device);
		return false;
	}
	if (probe->content == DISK_EMPTY ||
	    (probe->swap == DISK_SWAP_AREA && probe->content != DISK_LUKS2))
		return true;
	snprintf(why, room, "it holds %.100s",
		 *probe->type ? probe->type : "an interrupted LUKS2 format");
	return false;
}

/* In a mapping, only the image of a suspended system counts: everything else is old swap or noise. */
static enum mortise_code probe_area(const struct mortise_events *events, bool encrypted,
				    const char *path, struct disk_probe *probe,
				    struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	enum mortise_code code;

	if (!encrypted)
		return disk_probe(path, events, probe, err);
	*probe = (struct disk_probe){ .content = DISK_EMPTY };
	code = luks2_device_open(path, false, &device, err);
	if (code)
		return code;
	code = disk_scan_swap(device, &probe->swap, err);
	luks2_device_close(device);
	return code;
}

enum mortise_code disk_swap_make(const struct mortise_events *events, const char *name,
				 bool encrypted, const char *device, struct mortise_error *err)
{
	char program[] = "mkswap", label_option[] = "-L", label[LABEL_LENGTH + 1];
	char node[512], output[512], why[512];
	char *argv[] = { program, label_option, label, node, NULL };
	struct disk_probe probe;
	enum mortise_code code = probe_area(events, encrypted, device, &probe, err);

	if (code)
		return code;
	if (!disk_swap_may_replace(&probe, device, why, sizeof(why)))
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
