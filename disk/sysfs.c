/* SPDX-License-Identifier: MIT */
#include "disk/sysfs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define UEVENT_ROOM 4096u /* the kernel's limit for one uevent is 2048 bytes */

static void read_file(const char *directory, const char *name, const char *file, char *text,
		      size_t room)
{
	char path[PATH_MAX];

	text[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file) < (int)sizeof(path))
		(void)file_read_text(path, text, room);
}

void sysfs_line(const char *directory, const char *name, const char *file, char *text, size_t room)
{
	read_file(directory, name, file, text, room);
	text[strcspn(text, "\n")] = '\0';
}

bool sysfs_uevent(const char *directory, const char *name, const char *key, char *value,
		  size_t room)
{
	const size_t length = strlen(key);
	char text[UEVENT_ROOM], *rest = text, *line;

	read_file(directory, name, "uevent", text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, key, length) && line[length] == '=')
			return snprintf(value, room, "%s", line + length + 1) < (int)room;
	return false;
}
