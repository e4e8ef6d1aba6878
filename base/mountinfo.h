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
	/* Of the mount that mountinfo_next() has read last. */
	unsigned id;
	unsigned parent;		/* id of the mount that it is mounted in */
	dev_t device;
	char mount_point[PATH_MAX];
	char source[PATH_MAX];		/* "" when the line has none */

	FILE *file;			/* for this reader alone */
	char *line;
	size_t line_size;
};

/* A file that cannot be opened reads as an empty one. Ended by mountinfo_close(). */
void mountinfo_open(struct mountinfo *mounts);

/* Reads the next mount, in the order of mounting; false at the end. */
bool mountinfo_next(struct mountinfo *mounts);
void mountinfo_close(struct mountinfo *mounts);

/*
 * Decodes a path in place. /proc/self/mountinfo and /proc/swaps write a space, tab, newline and
 * backslash as a backslash and three octal digits.
 */
void mountinfo_unescape(char *path);

#endif
