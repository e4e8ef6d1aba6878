/* SPDX-License-Identifier: MIT */
/*
 * Creating partitions. Their places are cleared before the table names them, so that a power cut
 * leaves either no partition or an empty one.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/plan_partition.h"
#include "disk/partition_kernel.h"
#include "disk/place.h"
#include "disk/probe.h"
#include "disk/sysfs.h"
#include "disk/users.h"
#include "disk/wipe.h"

#define LOCK_WAIT_MS 10000u
#define NODE_WAIT_MS 10000u
#define POLL_MS	     50u

/* The partitions of one disk that are created by one write of its table. */
struct creation {
	const struct volume_run *run;
	struct partition_layout *layout;
	struct partition_planned *wanted; /* the one whose step it is */
	struct disk_candidate *candidate;
	struct luks2_device *disk;
	struct gpt *gpt; /* as it is on the disk now */
};

static bool is_system(const struct partition_planned *partition)
{
	return !partition->volume || volume_is_state(partition->volume);
}

/*
 * While STATE is created, no partition of its disk is in use, so that the kernel can read the whole
 * table again.
 */
static bool is_included(const struct creation *creation, const struct partition_planned *partition)
{
	if (partition->created || partition->disk != creation->candidate)
		return false;
	return partition == creation->wanted ||
	       (creation->layout->at_once && is_system(creation->wanted) && partition->wanted);
}

static struct partition_planned *next_included(const struct creation *creation, size_t *i)
{
	while (*i < creation->layout->count) {
		struct partition_planned *partition = &creation->layout->partitions[(*i)++];

		if (is_included(creation, partition))
			return partition;
	}
	return NULL;
}

/* Is the entry of a partition as it was planned? Its end may have grown since. */
static bool is_same(const struct gpt_partition *now, const struct gpt_partition *planned)
{
	return now->first == planned->first &&
	       !memcmp(now->guid, planned->guid, sizeof(now->guid)) &&
	       !memcmp(now->type, planned->type, sizeof(now->type)) &&
	       !strcmp(now->name, planned->name);
}

static bool is_to_come(const struct creation *creation, unsigned number)
{
	for (size_t i = 0; i < creation->layout->count; i++) {
		const struct partition_planned *partition = &creation->layout->partitions[i];

		if (partition->disk == creation->candidate && partition->place.number == number)
			return !partition->created;
	}
	return false;
}

/* The table must still be the one that the plan was made from, with what this run has added. */
static bool is_as_planned(const struct creation *creation)
{
	const struct gpt *now = creation->gpt, *planned = creation->candidate->gpt;
	struct gpt_partition a, b;

	if (memcmp(now->guid, planned->guid, GPT_GUID_SIZE) != 0 ||
	    now->sectors != planned->sectors || now->first_usable != planned->first_usable ||
	    now->last_usable != planned->last_usable || now->entry_count != planned->entry_count)
		return false;
	for (uint32_t i = 0; i < now->entry_count; i++) {
		const bool in_now = gpt_partition(now, i, &a);
		const bool in_planned = gpt_partition(planned, i, &b);

		if (in_now ? !in_planned || !is_same(&a, &b)
			   : in_planned && !is_to_come(creation, i + 1))
			return false;
	}
	return true;
}

static enum mortise_code set_changed(const struct creation *creation, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CHANGED, 0,
			 "%s has changed since the plan was made; run the command again",
			 creation->disk->path);
}

/* Reads the table, or makes the empty one of a disk that is still empty. */
static enum mortise_code read_table(struct creation *creation, struct mortise_error *err)
{
	struct disk_candidate *candidate = creation->candidate;
	struct mortise_error ignored;
	enum mortise_code code;

	if (disk_in_use(creation->disk))
		return error_set(err, MORTISE_E_BUSY, 0, "%s is in use", creation->disk->path);
	code = gpt_read(creation->disk, &creation->gpt, err);
	if (candidate->blank && code == MORTISE_E_DEVICE) {
		code = gpt_new(creation->disk, &creation->gpt, err);
		if (code)
			return code;
		memcpy(creation->gpt->guid, candidate->gpt->guid, GPT_GUID_SIZE);
	} else if (code) {
		return code;
	} else if (candidate->blank || !is_as_planned(creation)) {
		return set_changed(creation, err);
	}
	/* Another program may have held the lock after open_disk() had found the disk empty. */
	if (disk_check_table(creation->disk, creation->gpt, &ignored))
		return set_changed(creation, err);
	return MORTISE_OK;
}

static enum mortise_code open_disk(struct creation *creation, struct mortise_error *err)
{
	const struct mortise_events *events = &creation->run->events;
	const char *path = creation->candidate->facts->dev_path;
	struct disk_probe probe = { .content = DISK_EMPTY };
	enum mortise_code code = luks2_device_open(path, false, &creation->disk, err);

	if (!code && creation->candidate->blank)
		code = disk_probe(path, events, &probe, err);
	if (!code && probe.content != DISK_EMPTY)
		return set_changed(creation, err);
	if (!code)
		code = luks2_device_writable(creation->disk, err);
	/* The lock that udev and sfdisk take. */
	if (!code)
		code = events_lock(events, creation->disk->fd, LOCK_EX, LOCK_WAIT_MS, path, err);
	return code ? code : read_table(creation, err);
}

/* Adds the partitions to the table in memory; fails if a place is not free any more. */
static enum mortise_code place_all(const struct creation *creation, struct mortise_error *err)
{
	const struct partition_planned *partition;
	enum mortise_code code = MORTISE_OK;
	size_t i = 0;

	/* Each state that a power cut can leave of an empty table is recognized. */
	if (creation->candidate->blank)
		code = gpt_write(creation->gpt, creation->disk, err);
	while (!code && (partition = next_included(creation, &i)))
		code = gpt_place(creation->gpt, &partition->place, err);
	return code;
}

static enum mortise_code clear_places(const struct creation *creation, struct mortise_error *err)
{
	const struct partition_planned *partition;
	enum mortise_code code = MORTISE_OK;
	size_t i = 0;

	while (!code && (partition = next_included(creation, &i)))
		code = disk_wipe_range(creation->disk, partition->start, partition->size, err);
	return code;
}

/*
 * While a partition of the disk is in use, and on a loop device without partition scan, the kernel
 * does not read the table: the new ones are added alone, and have no label in sysfs.
 */
static enum mortise_code update_kernel(const struct creation *creation, struct mortise_error *err)
{
	const struct partition_planned *partition;
	struct mortise_error ignored;
	enum mortise_code code = MORTISE_OK;
	size_t i = 0;

	if (!disk_kernel_read(creation->disk, &ignored))
		return MORTISE_OK;
	while (!code && (partition = next_included(creation, &i)))
		code = disk_kernel_add(creation->disk, creation->gpt, &partition->place, err);
	return code;
}

/* Makes the node where neither devtmpfs nor udev does. */
static void make_node(const char *path)
{
	unsigned above, below;
	char text[32];

	sysfs_line("/sys/class/block", strrchr(path, '/') + 1, "dev", text, sizeof(text));
	if (access("/run/udev/control", F_OK) && access(path, F_OK) &&
	    sscanf(text, "%u:%u", &above, &below) == 2)
		(void)!mknod(path, S_IFBLK | 0600, makedev(above, below));
}

static bool has_node(const struct partition_planned *partition)
{
	struct disk_place place;

	disk_place_read(partition->device, &place);
	return place.partition == partition->place.number && place.start == partition->start &&
	       place.size == partition->size;
}

/* udev may read the table again after it was written, and remove the nodes for a moment. */
static bool is_settled(void)
{
	return access("/run/udev/control", F_OK) || access("/run/udev/queue", F_OK);
}

static enum mortise_code wait_for_node(const struct volume_run *run,
				       const struct partition_planned *partition,
				       struct mortise_error *err)
{
	const uint64_t end = clock_now_ms() + NODE_WAIT_MS;

	if (!access("/run/udev/control", F_OK) && !events_sleep_ms(&run->events, POLL_MS))
		return events_cancel_error(err);
	while (!has_node(partition) || !is_settled()) {
		if (clock_now_ms() >= end)
			return error_set(err, MORTISE_E_DEVICE, 0,
					 "%s was created, but its device does not appear; reboot",
					 partition->device);
		make_node(partition->device);
		if (!events_sleep_ms(&run->events, POLL_MS))
			return events_cancel_error(err);
	}
	return MORTISE_OK;
}

enum mortise_code partition_create(const struct volume_run *run, struct partition_planned *wanted,
				   struct mortise_error *err)
{
	struct creation creation = {
		.run = run, .layout = run->layout, .wanted = wanted, .candidate = wanted->disk
	};
	struct partition_planned *partition;
	enum mortise_code code = open_disk(&creation, err);
	size_t i = 0;

	if (!code)
		code = place_all(&creation, err);
	if (!code)
		code = clear_places(&creation, err);
	if (!code)
		code = gpt_write(creation.gpt, creation.disk, err);
	if (!code)
		code = update_kernel(&creation, err);
	gpt_free(&creation.gpt);
	luks2_device_close(creation.disk);
	if (code)
		return code;
	while ((partition = next_included(&creation, &i)))
		partition->created = true;
	creation.candidate->blank = false;
	return MORTISE_OK;
}

enum mortise_code partition_do_step(struct volume_work *work, const struct volume_step *step,
				    struct mortise_error *err)
{
	/* The volumes of a run are processed in parallel. */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	enum mortise_code code = MORTISE_OK;

	if (!work->run->layout)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "only `mortise apply` creates partitions");
	pthread_mutex_lock(&lock);
	if (!step->partition->created)
		code = partition_create(work->run, step->partition, err);
	pthread_mutex_unlock(&lock);
	return code ? code : wait_for_node(work->run, step->partition, err);
}
