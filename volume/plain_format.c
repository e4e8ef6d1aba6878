/* SPDX-License-Identifier: MIT */
/* The swap area or file system of a plain mapping with a random key, which is made at each boot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/spawn.h"
#include "dm/dm.h"

#define OUTPUT_ROOM 512u

/* The node of a plain mapping that nothing uses. */
static enum mortise_code find_node(const char *name, char *path, size_t room,
				   struct mortise_error *err)
{
	static const char plain[] = "CRYPT-PLAIN-";
	struct dm_control *control = NULL;
	enum mortise_code code = dm_open(&control, err);
	struct dm_info info;

	if (!code)
		code = dm_info(control, name, &info, err);
	dm_close(control);
	if (code)
		return code;
	if (strncmp(info.uuid, plain, sizeof(plain) - 1) != 0)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot format mapping %s: it is not a plain mapping", name);
	return dm_device_path(info.device, path, room, err);
}

/* Everyone may write to a directory for temporary files. */
static enum mortise_code open_to_all(const char *path, const char *filesystem,
				     struct mortise_error *err)
{
	char dir[] = "/run/mortise-tmp.XXXXXX";
	enum mortise_code code = MORTISE_OK;

	if (!mkdtemp(dir))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create %s", dir);
	if (mount(path, dir, filesystem, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
		code = error_set(err, MORTISE_E_SYSTEM, errno, "cannot mount %s", path);
	} else {
		if (chmod(dir, 01777) != 0)
			code = error_set(err, MORTISE_E_SYSTEM, errno,
					 "cannot set the permissions of the file system in %s",
					 path);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return code;
}

enum mortise_code mortise_plain_format(const char *name, const char *filesystem,
				       const struct mortise_events *events,
				       struct mortise_error *err)
{
	static const char *const known[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs" };
	char said[OUTPUT_ROOM], path[4096], program[32] = "mkswap";
	const bool swap = !strcmp(filesystem, "swap");
	const bool ext = !strncmp(filesystem, "ext", 3);
	char *mkfs[] = { program, ext ? "-qF" : "-qf", path, NULL };
	char *mkswap[] = { program, path, NULL };
	enum mortise_code code;
	size_t i = 0;

	while (i < sizeof(known) / sizeof(known[0]) && strcmp(filesystem, known[i]))
		i++;
	if (!swap && i == sizeof(known) / sizeof(known[0]))
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"cannot make file system %.40s; use ext2, ext3, ext4, xfs, btrfs or "
			"f2fs",
			filesystem);
	if (!swap)
		snprintf(program, sizeof(program), "mkfs.%s", known[i]);
	code = find_node(name, path, sizeof(path), err);
	if (!code)
		code = spawn(events, swap ? mkswap : mkfs, said, sizeof(said), err);
	if (!code && !swap)
		code = open_to_all(path, filesystem, err);
	return code;
}
