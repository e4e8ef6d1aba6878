/* SPDX-License-Identifier: MIT */
#include "disk/disks.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "disk/sysfs.h"

#define DISKS_MAX 4096u
#define LINKS_MAX 256u /* of one disk */

void disk_list_clear(struct disk_list *disks)
{
	for (size_t i = 0; i < disks->count; i++) {
		for (size_t j = 0; j < disks->disk[i]->symlink_count; j++)
			free(disks->disk[i]->symlinks[j]);
		free(disks->disk[i]->symlinks);
		free(disks->disk[i]);
	}
	free(disks->disk);
	*disks = (struct disk_list){ .count = 0 };
}

static bool is_skipped(const char *blocks, const char *name)
{
	static const char *const prefixes[] = { ".", "loop", "ram", "dm-", "zram" };
	char hidden[8], size[32];

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	/* A path of an NVMe multipath disk: it has no node. */
	sysfs_line(blocks, name, "hidden", hidden, sizeof(hidden));
	sysfs_line(blocks, name, "size", size, sizeof(size));
	return !strcmp(hidden, "1") || !strtoull(size, NULL, 10);
}

/* Does the disk have a partition with a label that Talos uses on its system disk? */
static bool is_system_disk(const char *blocks, const char *name)
{
	static const char *const labels[] = { "STATE", "EPHEMERAL", "META" };
	char directory[PATH_MAX], label[128];
	struct dirent *entry;
	bool found = false;
	DIR *stream;

	if (snprintf(directory, sizeof(directory), "%s/%s", blocks, name) >= (int)sizeof(directory))
		return false;
	stream = opendir(directory);
	while (stream && !found && (entry = readdir(stream))) {
		if (strncmp(entry->d_name, name, strlen(name)) != 0 ||
		    !sysfs_uevent(directory, entry->d_name, "PARTNAME", label, sizeof(label)))
			continue;
		for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
			found |= !strcmp(label, labels[i]);
	}
	if (stream)
		closedir(stream);
	return found;
}

static bool add_disk(struct disk_list *disks, const char *root, const char *name)
{
	struct disk **grown, *disk;

	grown = realloc(disks->disk, (disks->count + 1) * sizeof(*grown));
	if (!grown)
		return false;
	disks->disk = grown;
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return false;
	disk->symlinks = calloc(1, sizeof(*disk->symlinks));
	if (!disk->symlinks) {
		free(disk);
		return false;
	}
	disks->disk[disks->count++] = disk;
	disk_describe(root, name, disk);
	disk->facts.symlinks = (const char *const *)disk->symlinks;
	return true;
}

static bool add_link(struct disk *disk, const char *path)
{
	char **grown;

	if (disk->symlink_count == LINKS_MAX)
		return true;
	grown = realloc(disk->symlinks, (disk->symlink_count + 2) * sizeof(*grown));
	if (!grown)
		return false;
	disk->symlinks = grown;
	disk->facts.symlinks = (const char *const *)grown;
	grown[disk->symlink_count] = strdup(path);
	if (!grown[disk->symlink_count])
		return false;
	grown[++disk->symlink_count] = NULL;
	return true;
}

/* Adds udev's link /dev/disk/KIND/NAME to the disk whose node it leads to. */
static bool read_link(struct disk_list *disks, const char *root, const char *kind, const char *name)
{
	char link[PATH_MAX], target[PATH_MAX];

	if (snprintf(link, sizeof(link), "%s/dev/disk/%s/%s", root, kind, name) >=
		    (int)sizeof(link) ||
	    !realpath(link, target) || strncmp(target, root, strlen(root)) != 0)
		return true;
	for (size_t i = 0; i < disks->count; i++)
		if (!strcmp(disks->disk[i]->dev_path, target + strlen(root)))
			return add_link(disks->disk[i], link + strlen(root));
	return true;
}

/* Without udev there are none. */
static bool read_links(struct disk_list *disks, const char *root)
{
	char path[PATH_MAX];
	struct dirent **kinds, **names;
	bool good = true;
	int kind_count, name_count;

	if (snprintf(path, sizeof(path), "%s/dev/disk", root) >= (int)sizeof(path))
		return true;
	kind_count = scandir(path, &kinds, NULL, alphasort);
	for (int i = 0; i < kind_count; i++) {
		snprintf(path, sizeof(path), "%.3000s/dev/disk/%s", root, kinds[i]->d_name);
		name_count =
			kinds[i]->d_name[0] == '.' ? -1 : scandir(path, &names, NULL, alphasort);
		for (int j = 0; j < name_count; j++) {
			if (good && names[j]->d_name[0] != '.')
				good = read_link(disks, root, kinds[i]->d_name, names[j]->d_name);
			free(names[j]);
		}
		if (name_count >= 0)
			free(names);
		free(kinds[i]);
	}
	if (kind_count >= 0)
		free(kinds);
	return good;
}

static int compare_paths(const void *a, const void *b)
{
	const struct disk *const *left = a, *const *right = b;

	return strcmp((*left)->dev_path, (*right)->dev_path);
}

enum mortise_code disk_list_read(const char *root, struct disk_list *disks,
				 struct mortise_error *err)
{
	char blocks[PATH_MAX];
	struct dirent *entry;
	bool good = true, known = false;
	DIR *stream;

	*disks = (struct disk_list){ .count = 0 };
	snprintf(blocks, sizeof(blocks), "%.4000s/sys/block", root);
	stream = opendir(blocks);
	if (!stream)
		return error_set(err, MORTISE_E_SYSTEM, errno,
				 "cannot list disks in %s; mount sysfs or use --device NAME=/dev/X",
				 blocks);
	while (good && disks->count < DISKS_MAX && (entry = readdir(stream))) {
		if (is_skipped(blocks, entry->d_name))
			continue;
		good = add_disk(disks, root, entry->d_name);
		if (good)
			disks->disk[disks->count - 1]->facts.system =
				is_system_disk(blocks, entry->d_name);
	}
	closedir(stream);
	good = good && read_links(disks, root);
	if (!good)
		return error_memory(err);
	for (size_t i = 0; i < disks->count; i++)
		known |= disks->disk[i]->facts.system;
	for (size_t i = 0; i < disks->count; i++)
		disks->disk[i]->facts.system_known = known;
	if (disks->count)
		qsort(disks->disk, disks->count, sizeof(*disks->disk), compare_paths);
	return MORTISE_OK;
}
