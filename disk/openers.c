/* SPDX-License-Identifier: MIT */
#include "disk/openers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"

#define PATH_ROOM 320u
#define SHOWN	  3u /* processes that are named */

struct search {
	dev_t filesystem, block;
};

/* path is a link of /proc, which leads to the file even if its path is hidden or deleted. */
static bool leads_there(const struct search *search, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	return (search->filesystem && st.st_dev == search->filesystem) ||
	       (search->block && S_ISBLK(st.st_mode) && st.st_rdev == search->block);
}

static bool has_descriptor(const struct search *search, const char *process)
{
	char path[PATH_ROOM], link[2 * PATH_ROOM];
	struct dirent *entry;
	bool found = false;
	DIR *descriptors;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
	descriptors = opendir(path);
	while (!found && descriptors && (entry = readdir(descriptors))) {
		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		found = entry->d_name[0] != '.' && leads_there(search, link);
	}
	if (descriptors)
		closedir(descriptors);
	return found;
}

/* A mapped file has no descriptor: ADDRESSES PERMISSIONS OFFSET MAJOR:MINOR INODE PATH */
static bool has_mapping(const struct search *search, const char *process)
{
	char path[PATH_ROOM], *line = NULL;
	unsigned above, below;
	bool found = false;
	size_t room = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%.20s/maps", process);
	maps = search->filesystem ? fopen(path, "re") : NULL;
	while (!found && maps && getline(&line, &room, maps) > 0)
		found = sscanf(line, "%*s %*s %*s %x:%x", &above, &below) == 2 &&
			makedev(above, below) == search->filesystem;
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

static bool uses(const struct search *search, const char *process)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	char path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%.20s/%s", process, links[i]);
		if (leads_there(search, path))
			return true;
	}
	return has_descriptor(search, process) || has_mapping(search, process);
}

static size_t add_process(const char *process, bool first, char *text, size_t room)
{
	char path[PATH_ROOM], name[64];
	int length;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", process);
	if (file_read_text(path, name, sizeof(name)) <= 0)
		snprintf(name, sizeof(name), "?");
	length = snprintf(text, room, "%s%.*s (process %.20s)", first ? "" : ", ",
			  (int)strcspn(name, "\n"), name, process);
	return (size_t)length < room ? (size_t)length : room - 1;
}

bool disk_openers_find(dev_t filesystem, dev_t block, char *text, size_t room)
{
	const struct search search = { filesystem, block };
	unsigned long self = (unsigned long)getpid();
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	size_t used = 0, count = 0;

	text[0] = '\0';
	while (processes && (entry = readdir(processes))) {
		const unsigned long number = strtoul(entry->d_name, NULL, 10);

		if (!number || number == self || !uses(&search, entry->d_name))
			continue;
		if (count++ < SHOWN)
			used += add_process(entry->d_name, !used, text + used, room - used);
	}
	if (processes)
		closedir(processes);
	if (count > SHOWN)
		snprintf(text + used, room - used, " and %zu more", count - SHOWN);
	return count;
}
