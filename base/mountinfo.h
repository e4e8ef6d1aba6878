/* SPDX-License-Identifier: MIT */
/* Reading /proc/self/mountinfo (proc_pid_mountinfo(5)). */
#ifndef BASE_MOUNTINFO_H
#define BASE_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct mountinfo {
	/* The mount that the last mountinfo_next() has read. */
	unsigned id;
	unsigned parent;		/* id of the parent mount */
	dev_t device;
	char mount_point[PATH_MAX];
	char source[PATH_MAX];		/* "" if the line has none */

	/* Private to base/mountinfo.c. */
	FILE *file;
	char *line;
	size_t line_size;
};

/* mountinfo_next() returns false if this fails. mountinfo_close() must follow in every case. */
void mountinfo_open(struct mountinfo *mounts);

/* Reads the next mount, in the order of mounting. Returns false at the end. */
bool mountinfo_next(struct mountinfo *mounts);
void mountinfo_close(struct mountinfo *mounts);

/*
 * Is it a mount of this block device? btrfs shows a device number of its own; its source names the
 * device.
 */
bool mountinfo_is_of(const struct mountinfo *mount, dev_t number);

/*
 * The id of the uppermost mount at a path without links, or 0. It stays the same while the mount
 * exists, even if another root directory, as after an initramfs, gives the mount another path.
 */
unsigned mountinfo_find_id(const char *mount_point);

/* The path of the mount with this id. False: it does not exist. */
bool mountinfo_find_path(unsigned id, char path[static PATH_MAX]);

/*
 * Decodes a path in place: /proc/self/mountinfo and /proc/swaps encode a space, tab, newline and
 * backslash as a backslash and three octal digits.
 */
void mountinfo_unescape(char *path);

#endif
