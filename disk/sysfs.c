/* SPDX-License-Identifier: MIT */
/* Reading what sysfs says of a device, a line at a time. */
#include "disk/sysfs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_file(const char *directory, const char *name, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file) >= (int)sizeof(path))
		return NULL;
	return fopen(path, "re");
}

void sysfs_line(const char *directory, const char *name, const char *file, char *text, size_t room)
{
	FILE *stream = open_file(directory, name, file);

	*text = '\0';
	if (!stream)
		return;
	if (!fgets(text, (int)room, stream))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(stream);
}

bool sysfs_uevent(const char *directory, const char *name, const char *key, char *value,
		  size_t room)
{
	FILE *stream = open_file(directory, name, "uevent");
	const size_t length = strlen(key);
	char *line = NULL;
	size_t line_room = 0;
	bool found = false;

	while (stream && !found && getline(&line, &line_room, stream) > 0) {
		if (strncmp(line, key, length) || line[length] != '=')
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (snprintf(value, room, "%s", line + length + 1) >= (int)room)
			break;
		found = true;
	}
	free(line);
	if (stream)
		fclose(stream);
	return found;
}
