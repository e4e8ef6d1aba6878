/* SPDX-License-Identifier: MIT */
#include "base/mountinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void mountinfo_unescape(char *path)
{
	char *out = path;

	for (; *path; out++) {
		if (path[0] == '\\' && strspn(path + 1, "01234567") >= 3) {
			*out = (char)((path[1] - '0') << 6 | (path[2] - '0') << 3 |
				      (path[3] - '0'));
			path += 4;
		} else {
			*out = *path++;
		}
	}
	*out = '\0';
}

void mountinfo_open(struct mountinfo *mounts)
{
	mounts->line = NULL;
	mounts->line_size = 0;
	mounts->file = fopen("/proc/self/mountinfo", "re");
}

void mountinfo_close(struct mountinfo *mounts)
{
	free(mounts->line);
	if (mounts->file)
		fclose(mounts->file);
}

/* ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [TAG]... - TYPE SOURCE SUPER-OPTIONS */
static bool parse_line(struct mountinfo *mounts)
{
	unsigned major_number, minor_number;
	const char *separator;

	if (sscanf(mounts->line, "%u %u %u:%u %*s %4095s", &mounts->id, &mounts->parent,
		   &major_number, &minor_number, mounts->mount_point) != 5)
		return false;
	mounts->device = makedev(major_number, minor_number);
	mountinfo_unescape(mounts->mount_point);
	separator = strstr(mounts->line, " - ");
	if (!separator || sscanf(separator, " - %*s %4095s", mounts->source) != 1)
		mounts->source[0] = '\0';
	mountinfo_unescape(mounts->source);
	return true;
}

bool mountinfo_is_of(const struct mountinfo *mount, dev_t number)
{
	struct stat st;

	return mount->device == number ||
	       (!major(mount->device) && mount->source[0] == '/' && !stat(mount->source, &st) &&
		S_ISBLK(st.st_mode) && st.st_rdev == number);
}

bool mountinfo_next(struct mountinfo *mounts)
{
	while (mounts->file && getline(&mounts->line, &mounts->line_size, mounts->file) > 0)
		if (parse_line(mounts))
			return true;
	return false;
}

unsigned mountinfo_find_id(const char *mount_point)
{
	struct mountinfo mounts;
	unsigned id = 0;

	mountinfo_open(&mounts);
	while (mountinfo_next(&mounts))
		if (!strcmp(mounts.mount_point, mount_point))
			id = mounts.id;
	mountinfo_close(&mounts);
	return id;
}

bool mountinfo_find_path(unsigned id, char path[static PATH_MAX])
{
	struct mountinfo mounts;
	bool found = false;

	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = mounts.id == id;
	if (found)
		snprintf(path, PATH_MAX, "%s", mounts.mount_point);
	mountinfo_close(&mounts);
	return found;
}
