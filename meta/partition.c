/* SPDX-License-Identifier: MIT */
#include "meta/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "keys/hash.h"
#include "disk/partition.h"
#include "disk/probe.h"

#define LABEL	     "META"
#define OLD_OFFSET   (META_ADV_PARTITION - META_ADV_OLD)
#define HALF	     (META_ADV_OLD / 2)

#define LOCK_WAIT_MS 10000u

/* The holder may keep it for long, and a boot does not wait for that. */
static enum mortise_code lock(const struct mortise_events *events, int fd, int how,
			      const char *path, struct mortise_error *err)
{
	enum mortise_code code = events_lock(events, fd, how, LOCK_WAIT_MS, path, err);

	if (code != MORTISE_E_BUSY)
		return code;
	return error_set(err, code, 0,
			 "META is locked by another program, which uses %s; run again when it has "
			 "ended",
			 path);
}

/* Talos locks the disk before the partition; the same order avoids a deadlock. */
static enum mortise_code lock_disk(struct meta_partition *meta, const struct mortise_events *events,
				   struct mortise_error *err)
{
	char path[160];

	if (!meta->device->block || !disk_of_partition(meta->device->number, path, sizeof(path)))
		return MORTISE_OK;
	meta->disk_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	/* A container may have the node of the partition alone. */
	if (meta->disk_fd < 0 && errno == ENOENT)
		return MORTISE_OK;
	if (meta->disk_fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno,
				 "cannot open %s, the disk of %s, to lock it", path,
				 meta->device->path);
	return lock(events, meta->disk_fd, LOCK_EX, path, err);
}

static enum mortise_code open_locked(const char *path, const struct mortise_events *events,
				     bool write, struct meta_partition *meta,
				     struct mortise_error *err)
{
	enum mortise_code code = luks2_device_open(path, false, &meta->device, err);

	if (!code && meta->device->size != META_ADV_PARTITION)
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "%s is not a META partition: it has %" PRIu64
				 " bytes instead of %" PRIu64,
				 path, meta->device->size, META_ADV_PARTITION);
	if (!code && write)
		code = luks2_device_writable(meta->device, err);
	if (!code && write)
		code = lock_disk(meta, events, err);
	return code ? code : lock(events, meta->device->fd, write ? LOCK_EX : LOCK_SH, path, err);
}

/*
 * Refuses a partition with another signature. Without any valid copy it may still be META with
 * both copies damaged, which the next write repairs: one of META's magic numbers proves that.
 * Without a magic number all bytes must be zero, as in a new partition.
 */
static enum mortise_code check_contents(const struct meta_partition *meta,
					struct mortise_error *err)
{
	const uint8_t *image = mortise_secret_data(meta->image);
	struct disk_probe probe;
	enum mortise_code code;
	size_t at = 0;

	code = disk_probe_signatures(meta->device, &probe, err);
	if (code)
		return code;
	if (probe.content != DISK_EMPTY)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "%s is not META: it holds %s; to discard that, run wipefs -a",
				 meta->device->path, probe.type);
	if (meta_adv_found(meta->adv)->magic)
		return MORTISE_OK;
	while (at < META_ADV_PARTITION && !image[at])
		at++;
	if (at < META_ADV_PARTITION)
		return error_set_at(err, MORTISE_E_NOT_EMPTY, 0, at,
				    "%s is not META: it holds unknown data (byte %zu is not zero); "
				    "to discard that, fill the partition with zeros",
				    meta->device->path, at);
	return MORTISE_OK;
}

enum mortise_code meta_partition_open(const char *device, const struct mortise_events *events,
				      bool write, struct meta_partition *meta,
				      struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char found[160];
	uint8_t *image;

	*meta = (struct meta_partition){ .disk_fd = -1 };
	if (!device)
		code = disk_find_label(LABEL, LABEL, found, sizeof(found), err);
	if (!code)
		code = open_locked(device ? device : found, events, write, meta, err);
	if (!code)
		code = mortise_secret_new(META_ADV_PARTITION, &meta->image, err);
	if (code)
		goto out;
	image = mortise_secret_writable(meta->image);
	code = luks2_device_read(meta->device, image, META_ADV_PARTITION, 0, err);
	if (!code)
		code = meta_adv_decode(image, image + OLD_OFFSET, keys_sha256, &meta->adv, err);
	if (!code)
		code = check_contents(meta, err);
out:
	if (code)
		meta_partition_close(meta);
	return code;
}

void meta_partition_close(struct meta_partition *meta)
{
	meta_adv_free(meta->adv);
	mortise_secret_free(&meta->image);
	luks2_device_close(meta->device);
	if (meta->disk_fd >= 0)
		close(meta->disk_fd);
	*meta = (struct meta_partition){ .disk_fd = -1 };
}

bool meta_copies_differ(const struct meta_partition *meta)
{
	const uint8_t *image = mortise_secret_data(meta->image);
	const bool *good = meta_adv_found(meta->adv)->copy;

	if (!good[0] || !good[1])
		return good[0] || good[1];
	return memcmp(image, image + META_ADV_COPY, META_ADV_COPY) != 0;
}

/*
 * A value may put a file system's signature at its offset in the partition. Neither this program
 * nor Talos would then accept the partition as META.
 */
static enum mortise_code refuse_signature(const struct meta_partition *meta, const uint8_t *image,
					  struct mortise_error *err)
{
	struct luks2_device memory = { .path = meta->device->path, .lock_fd = -1 };
	struct disk_probe probe;
	enum mortise_code code;

	memory.fd = memfd_create("mortise-meta", MFD_CLOEXEC);
	if (memory.fd < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno,
				 "cannot check the new contents of META");
	code = luks2_device_write(&memory, image, META_ADV_PARTITION, 0, err);
	if (!code)
		code = disk_probe_signatures(&memory, &probe, err);
	if (!code && probe.content != DISK_EMPTY)
		code = error_set(
			err, MORTISE_E_USAGE, 0,
			"cannot store this value in META: %s would look like %s and no longer "
			"be found; nothing was written",
			memory.path, probe.type);
	close(memory.fd);
	return code;
}

static enum mortise_code write_flushed(const struct meta_partition *meta, const uint8_t *bytes,
				       size_t size, uint64_t offset, struct mortise_error *err)
{
	enum mortise_code code = luks2_device_write(meta->device, bytes, size, offset, err);

	return code ? code : luks2_device_flush(meta->device, err);
}

/*
 * Writes both of two identical copies. Readers use the first valid one: if that is the first copy
 * (first_good), it is written last, so that a valid copy remains while the other one is torn.
 */
static enum mortise_code write_pair(const struct meta_partition *meta, const uint8_t *bytes,
				    size_t size, uint64_t offset, bool first_good,
				    struct mortise_error *err)
{
	uint64_t before = first_good ? offset + size : offset;
	uint64_t after = first_good ? offset : offset + size;
	enum mortise_code code = write_flushed(meta, bytes, size, before, err);

	return code ? code : write_flushed(meta, bytes, size, after, err);
}

/*
 * Writes an empty copy to a partition of zeros. A power cut during the first write of a long value
 * could leave only sectors without a magic number, which look like unknown data. An empty copy has
 * two sectors that are not zero, and both have a magic number.
 */
static enum mortise_code write_empty(const struct meta_partition *meta, uint8_t *copy,
				     struct mortise_error *err)
{
	const uint8_t *zero = mortise_secret_data(meta->image);
	struct meta_adv *adv = NULL;
	enum mortise_code code;

	code = meta_adv_decode(zero, zero + OLD_OFFSET, keys_sha256, &adv, err);
	if (!code)
		code = meta_adv_encode(adv, keys_sha256, copy, err);
	if (!code)
		code = write_flushed(meta, copy, META_ADV_COPY, 0, err);
	meta_adv_free(adv);
	return code;
}

enum mortise_code meta_partition_store(const struct meta_partition *meta, struct mortise_error *err)
{
	const struct meta_adv_found *found = meta_adv_found(meta->adv);
	struct mortise_secret *next = NULL;
	bool old_changed = false;
	enum mortise_code code;
	uint8_t *image = NULL;

	code = mortise_secret_from(mortise_secret_data(meta->image), META_ADV_PARTITION, &next,
				   err);
	if (code)
		goto out;
	image = mortise_secret_writable(next);
	code = meta_adv_encode(meta->adv, keys_sha256, image, err);
	if (code)
		goto out;
	memcpy(image + META_ADV_COPY, image, META_ADV_COPY);
	old_changed = meta_adv_encode_old(meta->adv, image + OLD_OFFSET);
	code = refuse_signature(meta, image, err);
	/* First the older block: while a copy has the tag, it hides the older block's entry. */
	if (!code && old_changed)
		code = write_pair(meta, image + OLD_OFFSET, HALF, OLD_OFFSET, found->old[0], err);
	if (!code && !found->magic)
		code = write_empty(meta, image + META_ADV_COPY, err);
	if (!code)
		code = write_pair(meta, image, META_ADV_COPY, 0, found->copy[0] || !found->magic,
				  err);
out:
	mortise_secret_free(&next);
	return code;
}
