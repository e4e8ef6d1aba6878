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
#include "disk/partition.h"
#include "disk/sysfs.h"

#define DISKS_MAX 4096u
#define TEXTS_MAX 256u /* of one list of a disk */

static void clear_texts(struct disk_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->text[i]);
	free(texts->text);
}

void disk_list_clear(struct disk_list *disks)
{
	for (size_t i = 0; i < disks->count; i++) {
		clear_texts(&disks->disk[i]->symlinks);
		clear_texts(&disks->disk[i]->secondary_disks);
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

/* As in Talos, META decides: STATE and EPHEMERAL may be on another disk. */
static bool is_system_disk(const char *blocks, const char *name)
{
	char directory[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *stream;

	if (snprintf(directory, sizeof(directory), "%s/%s", blocks, name) >= (int)sizeof(directory))
		return false;
	stream = opendir(directory);
	while (stream && !found && (entry = readdir(stream)))
		found = strncmp(entry->d_name, name, strlen(name)) == 0 &&
			disk_partition_has_label(directory, entry->d_name, "META");
	if (stream)
		closedir(stream);
	return found;
}

static bool add_text(struct disk_texts *texts, const char *text)
{
	char **grown;

	if (texts->count == TEXTS_MAX)
		return true;
	grown = realloc(texts->text, (texts->count + 2) * sizeof(*grown));
	if (!grown)
		return false;
	texts->text = grown;
	grown[texts->count] = text ? strdup(text) : NULL;
	if (text && !grown[texts->count])
		return false;
	texts->count += text != NULL;
	grown[texts->count] = NULL;
	return true;
}

/* The disks that this one consists of; for a partition, its disk. */
static bool read_secondaries(struct disk_texts *texts, const char *blocks, const char *name)
{
	char path[PATH_MAX], real[PATH_MAX], partition[8];
	struct dirent **entries;
	bool good = add_text(texts, NULL);
	int count;

	snprintf(path, sizeof(path), "%.3000s/%.255s/slaves", blocks, name);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *slave = entries[i]->d_name;

		snprintf(path, sizeof(path), "%.3000s/%.255s/slaves/%.255s", blocks, name, slave);
		if (good && slave[0] != '.' && realpath(path, real)) {
			sysfs_line(real, ".", "partition", partition, sizeof(partition));
			if (*partition)
				*strrchr(real, '/') = '\0';
			good = add_text(texts, strrchr(real, '/') + 1);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return good;
}

static bool add_disk(struct disk_list *disks, const char *root, const char *blocks,
		     const char *name)
{
	struct disk **grown, *disk;

	grown = realloc(disks->disk, (disks->count + 1) * sizeof(*grown));
	if (!grown)
		return false;
	disks->disk = grown;
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return false;
	disks->disk[disks->count++] = disk;
	disk_describe(root, name, disk);
	disk->facts.system = is_system_disk(blocks, name);
	return add_text(&disk->symlinks, NULL) &&
	       read_secondaries(&disk->secondary_disks, blocks, name);
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
			return add_text(&disks->disk[i]->symlinks, link + strlen(root));
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

static void finish_disk(struct disk *disk, bool system_known)
{
	disk->facts.system_known = system_known;
	disk->facts.symlinks = (const char *const *)disk->symlinks.text;
	disk->facts.secondary_disks = (const char *const *)disk->secondary_disks.text;
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
		good = add_disk(disks, root, blocks, entry->d_name);
	}
	closedir(stream);
	good = good && read_links(disks, root);
	if (!good)
		return error_memory(err);
	for (size_t i = 0; i < disks->count; i++)
		known |= disks->disk[i]->facts.system;
	for (size_t i = 0; i < disks->count; i++)
		finish_disk(disks->disk[i], known);
	if (disks->count)
		qsort(disks->disk, disks->count, sizeof(*disks->disk), compare_paths);
	return MORTISE_OK;
}

enum mortise_code disk_list_add(struct disk_list *disks, const char *path, struct disk **out,
				struct mortise_error *err)
{
	static const char blocks[] = "/sys/block", nodes[] = "/dev/";
	char real[PATH_MAX], number[32];
	char *name = real + strlen(nodes);

	if (!realpath(path, real))
		return error_set(err, MORTISE_E_DEVICE, errno, "%s", path);
	for (size_t i = 0; i < disks->count; i++) {
		if (strcmp(disks->disk[i]->dev_path, real) != 0)
			continue;
		*out = disks->disk[i];
		return MORTISE_OK;
	}
	if (strncmp(real, nodes, strlen(nodes)) != 0)
		return error_set(err, MORTISE_E_DEVICE, 0, "%s is not a whole disk", path);
	/* "/" in the name of a node is "!" in sysfs. */
	for (char *at = name; *at; at++)
		*at = *at == '/' ? '!' : *at;
	sysfs_line(blocks, name, "dev", number, sizeof(number));
	if (!*number)
		return error_set(err, MORTISE_E_DEVICE, 0, "%s is not a whole disk", path);
	if (!add_disk(disks, "", blocks, name))
		return error_memory(err);
	*out = disks->disk[disks->count - 1];
	finish_disk(*out, disks->count > 1 && disks->disk[0]->facts.system_known);
	return MORTISE_OK;
}
