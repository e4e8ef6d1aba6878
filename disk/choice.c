/* SPDX-License-Identifier: MIT */
#include "disk/choice.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "disk/probe.h"
#include "disk/signatures.h"
#include "disk/sysfs.h"
#include "disk/users.h"

#define SYSFS_SECTOR 512u /* the unit of sysfs, independent of the disk's sector size */

void disk_partition_path(const char *disk, unsigned number, char *path, size_t room)
{
	const size_t length = strlen(disk);
	const bool digit = length && isdigit((unsigned char)disk[length - 1]);

	snprintf(path, room, "%s%s%u", disk, digit ? "p" : "", number);
}

static uint64_t read_number(const char *directory, const char *name, const char *file)
{
	char text[32];

	sysfs_line(directory, name, file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

/* Is this partition of the kernel in the table, at the same place? */
static bool is_in_table(const char *directory, const char *name, const struct gpt *gpt)
{
	const uint64_t number = read_number(directory, name, "partition");
	struct gpt_partition partition;

	return number && number <= gpt->entry_count &&
	       gpt_partition(gpt, (uint32_t)number - 1, &partition) &&
	       read_number(directory, name, "start") * SYSFS_SECTOR ==
		       partition.first * gpt->sector &&
	       read_number(directory, name, "size") * SYSFS_SECTOR == gpt_size(gpt, &partition);
}

static bool kernel_agrees(const struct luks2_device *disk, const struct gpt *gpt)
{
	uint32_t in_kernel = 0;
	bool agrees = true;
	char path[64], number[16];
	struct dirent *entry;
	DIR *directory;

	if (!disk->block)
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(disk->number),
		 minor(disk->number));
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		sysfs_line(path, entry->d_name, "partition", number, sizeof(number));
		if (entry->d_name[0] == '.' || !*number)
			continue;
		in_kernel++;
		agrees &= is_in_table(path, entry->d_name, gpt);
	}
	if (directory)
		closedir(directory);
	return directory && agrees && in_kernel == gpt_partition_count(gpt);
}

static void refuse(struct disk_candidate *candidate, const char *reason)
{
	gpt_free(&candidate->gpt);
	snprintf(candidate->reason, sizeof(candidate->reason), "%.255s", reason);
}

/*
 * mdadm, bcache and others may leave the second copy of an old table at the end of a disk that they
 * use as a whole: their superblock is in the entries of the first copy.
 */
static enum mortise_code check_whole(const struct luks2_device *disk, struct mortise_error *why)
{
	static const char table[] = "a partition table";
	struct disk_probe probe = { .type = "" };
	bool found;
	enum mortise_code code = disk_scan(disk, DISK_SCAN_ALL, NULL, &probe, &found, why);

	if (code || !found || !strncmp(probe.type, table, strlen(table)))
		return code;
	return error_set(why, MORTISE_E_NOT_EMPTY, 0, "holds %s", probe.type);
}

bool disk_is_cut_off(const struct luks2_device *disk, const struct gpt *gpt)
{
	struct mortise_error ignored;

	return gpt->first_torn && !gpt->grown && !check_whole(disk, &ignored);
}

enum mortise_code disk_check_table(const struct luks2_device *disk, const struct gpt *gpt,
				   struct mortise_error *why)
{
	const bool used = gpt_partition_count(gpt) > 0;
	enum mortise_code code = gpt_check_end(gpt, disk, why);

	if (code)
		return code;
	if (!used || gpt->first_damaged)
		code = check_whole(disk, why);
	if (code)
		return code;
	if (used && gpt->first_torn)
		return error_set(why, MORTISE_E_CORRUPT, 0,
				 "a write of its partition table was cut off; `mortise up` "
				 "restores it");
	if (used && gpt->first_damaged)
		return error_set(why, MORTISE_E_CORRUPT, 0,
				 "the first copy of its partition table is damaged; restore it "
				 "with `sgdisk`");
	if (kernel_agrees(disk, gpt))
		return MORTISE_OK;
	return error_set(why, MORTISE_E_CHANGED, 0,
			 "the kernel has other partitions than its table; reboot");
}

/* Its table was read. */
static void accept_table(const struct luks2_device *disk, struct disk_candidate *candidate)
{
	struct mortise_error why;

	candidate->has_table = true;
	memcpy(candidate->guid, candidate->gpt->guid, sizeof(candidate->guid));
	if (disk_check_table(disk, candidate->gpt, &why))
		refuse(candidate, why.text);
}

/* It has no table that is accepted, for the reason in no_table. */
static enum mortise_code check_blank(const struct luks2_device *disk,
				     const struct mortise_events *events, const char *no_table,
				     struct disk_candidate *candidate, struct mortise_error *err)
{
	char partitions[160];
	struct disk_probe probe;
	struct mortise_error why;
	enum mortise_code code = disk_probe(disk->path, events, &probe, &why);

	if (code == MORTISE_E_MEMORY || code == MORTISE_E_CANCELED) {
		*err = why;
		return code;
	}
	if (code) {
		refuse(candidate, why.text);
	} else if (strstr(probe.type, "(gpt)")) {
		refuse(candidate, no_table);
	} else if (probe.content != DISK_EMPTY) {
		snprintf(candidate->reason, sizeof(candidate->reason), "holds %s",
			 probe.content == DISK_UNFINISHED ? "an interrupted format"
			 : *probe.type			  ? probe.type
							  : "an interrupted reset");
	} else if (disk_partitions(disk, partitions, sizeof(partitions))) {
		refuse(candidate, "the kernel has other partitions than its table; reboot");
	} else {
		candidate->blank = true;
		code = gpt_new(disk, &candidate->gpt, &why);
		if (code == MORTISE_E_MEMORY)
			return error_memory(err);
		if (code)
			refuse(candidate, "not enough space for a partition table");
	}
	return MORTISE_OK;
}

static bool has_no_partitions(const struct disk_facts *facts)
{
	const char *name = strrchr(facts->dev_path, '/');

	/* The kernel shows 1 for devices that cannot have partitions, such as most loop devices. */
	return name && read_number("/sys/class/block", name + 1, "ext_range") == 1;
}

enum mortise_code disk_examine(const struct disk_facts *facts, const struct mortise_events *events,
			       struct disk_candidate *candidate, struct mortise_error *err)
{
	struct luks2_device *disk = NULL;
	struct mortise_error why;
	enum mortise_code code = MORTISE_OK;

	*candidate = (struct disk_candidate){ .facts = facts };
	if (facts->readonly || facts->cdrom) {
		refuse(candidate, "read-only");
		return MORTISE_OK;
	}
	code = luks2_device_open(facts->dev_path, false, &disk, &why);
	if (code == MORTISE_E_MEMORY)
		return error_memory(err);
	if (code) {
		refuse(candidate, why.text);
		return MORTISE_OK;
	}
	if (disk->block && has_no_partitions(facts)) {
		refuse(candidate, "cannot have partitions");
		goto out;
	}
	if (disk_in_use(disk)) {
		refuse(candidate, "in use as a whole");
		goto out;
	}
	code = gpt_read(disk, &candidate->gpt, &why);
	if (code == MORTISE_E_MEMORY) {
		code = error_memory(err);
	} else if (code == MORTISE_E_DEVICE) {
		code = check_blank(disk, events, why.text, candidate, err);
	} else if (code) {
		refuse(candidate, why.text);
		code = MORTISE_OK;
	} else {
		accept_table(disk, candidate);
	}
out:
	luks2_device_close(disk);
	return code;
}

void disk_refuse_copies(struct disk_candidate *candidates, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			if (i == j || !candidates[i].has_table || !candidates[j].has_table ||
			    memcmp(candidates[i].guid, candidates[j].guid, GPT_GUID_SIZE) != 0)
				continue;
			gpt_free(&candidates[i].gpt);
			snprintf(candidates[i].reason, sizeof(candidates[i].reason),
				 "its table has the GUID of %.100s: one is a copy of the other",
				 candidates[j].facts->dev_path);
			break;
		}
	}
}
