/* SPDX-License-Identifier: MIT */
/* The META partition as a device: locks, what else it could be, and the order of writes. */
#include "volume/meta_partition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "keys/error.h"
#include "keys/hash.h"
#include "volume/locate.h"
#include "volume/probe.h"

#define LABEL	   "META"
#define OLD_OFFSET (META_ADV_PARTITION - META_ADV_OLD)
#define HALF	   (META_ADV_OLD / 2)

enum {
	LOCK_PAUSE_MS = 20,
	LOCK_WAIT_MS = 10000,
};

static enum mortise_code sha256(const void *bytes, size_t size, uint8_t digest[static 32],
				struct mortise_error *err)
{
	const struct keys_bytes all = { bytes, size };
	struct keys_hash *hash = NULL;
	enum mortise_code code = keys_hash_new("sha256", &hash, err);

	if (!code)
		code = keys_hash_parts(hash, &all, 1, digest, err);
	keys_hash_free(hash);
	return code;
}

/*
 * Whoever holds it may do so for long, and a boot does not wait for that. A signal ends the wait,
 * too: nothing has been done yet.
 */
static enum mortise_code lock(int fd, int how, const char *path, struct mortise_error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
	enum mortise_code code = MORTISE_OK;
	sigset_t all, before;

	/* Outside ppoll, a signal would be handled without ending the wait. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned waited = 0; !code && flock(fd, how | LOCK_NB); waited += LOCK_PAUSE_MS) {
		if (errno != EWOULDBLOCK)
			code = error_set(err, MORTISE_E_SYSTEM, errno, "cannot lock %s", path);
		else if (waited >= LOCK_WAIT_MS || ppoll(NULL, 0, &pause, &before))
			code = error_set(err, MORTISE_E_BUSY, 0,
					 "META is locked by another program, which uses %s; run "
					 "again when it has ended",
					 path);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

/* The disk first, as Talos does: whoever takes both takes them in the same order. */
static enum mortise_code lock_disk(struct volume_meta *meta, struct mortise_error *err)
{
	char path[160];

	if (!meta->device->block || !volume_disk_of(meta->device->number, path, sizeof(path)))
		return MORTISE_OK;
	meta->disk_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	/* A container may have been given the partition alone. */
	if (meta->disk_fd < 0 && errno == ENOENT)
		return MORTISE_OK;
	if (meta->disk_fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot lock %s, the disk of %s",
				 path, meta->device->path);
	return lock(meta->disk_fd, LOCK_EX, path, err);
}

static enum mortise_code open_locked(const char *path, bool write, struct volume_meta *meta,
				     struct mortise_error *err)
{
	enum mortise_code code = luks2_device_open(path, false, &meta->device, err);

	if (!code && meta->device->size != META_ADV_PARTITION)
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "%s has %" PRIu64 " bytes: a META partition has exactly %" PRIu64,
				 path, meta->device->size, META_ADV_PARTITION);
	if (!code && write)
		code = luks2_device_writable(meta->device, err);
	if (!code && write)
		code = lock_disk(meta, err);
	return code ? code : lock(meta->device->fd, write ? LOCK_EX : LOCK_SH, path, err);
}

/*
 * No signature of anything else. Bytes that are neither a copy nor known to libblkid may be META
 * with both copies damaged, which the next write shall repair: a magic number of META at its
 * place tells it from a stranger's data. Without one all must be zero, as a new partition is.
 */
static enum mortise_code judge(const struct volume_meta *meta, struct mortise_error *err)
{
	const uint8_t *image = mortise_secret_data(meta->image);
	struct volume_probe probe;
	enum mortise_code code;
	size_t at = 0;

	code = volume_probe_signatures(meta->device, &probe, err);
	if (code)
		return code;
	if (probe.content != VOLUME_EMPTY)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "%s is not META: it holds %s; if that is not needed, wipe it with "
				 "wipefs -a",
				 meta->device->path, probe.type);
	if (meta_adv_found(meta->adv)->magic)
		return MORTISE_OK;
	while (at < META_ADV_PARTITION && !image[at])
		at++;
	if (at < META_ADV_PARTITION)
		return error_set_at(err, MORTISE_E_NOT_EMPTY, 0, at,
				    "%s is not META: it holds unknown data (byte %zu is not zero); "
				    "if that is not needed, fill it with zeros",
				    meta->device->path, at);
	return MORTISE_OK;
}

enum mortise_code volume_meta_open(const char *device, bool write, struct volume_meta *meta,
				   struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char found[160];
	uint8_t *image;

	*meta = (struct volume_meta){ .disk_fd = -1 };
	if (!device)
		code = volume_locate_label(LABEL, LABEL, found, sizeof(found), err);
	if (!code)
		code = open_locked(device ? device : found, write, meta, err);
	if (!code)
		code = mortise_secret_new(META_ADV_PARTITION, &meta->image, err);
	if (code)
		goto out;
	image = mortise_secret_data(meta->image);
	code = luks2_device_read(meta->device, image, META_ADV_PARTITION, 0, err);
	if (!code)
		code = meta_adv_decode(image, image + OLD_OFFSET, sha256, &meta->adv, err);
	if (!code)
		code = judge(meta, err);
out:
	if (code)
		volume_meta_close(meta);
	return code;
}

void volume_meta_close(struct volume_meta *meta)
{
	meta_adv_free(meta->adv);
	mortise_secret_free(meta->image);
	luks2_device_close(meta->device);
	if (meta->disk_fd >= 0)
		close(meta->disk_fd);
	*meta = (struct volume_meta){ .disk_fd = -1 };
}

bool volume_meta_lame(const struct volume_meta *meta)
{
	const uint8_t *image = mortise_secret_data(meta->image);
	const bool *good = meta_adv_found(meta->adv)->copy;

	if (!good[0] || !good[1])
		return good[0] || good[1];
	return memcmp(image, image + META_ADV_COPY, META_ADV_COPY) != 0;
}

/*
 * A value that puts a file system's signature at its place would make META a stranger to us, and
 * to Talos, which asks for the same.
 */
static enum mortise_code refuse_disguise(const struct volume_meta *meta, const uint8_t *image,
					 struct mortise_error *err)
{
	struct luks2_device memory = { .path = meta->device->path, .lock_fd = -1 };
	struct volume_probe probe;
	enum mortise_code code;

	memory.fd = memfd_create("mortise-meta", MFD_CLOEXEC);
	if (memory.fd < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno, "no memory to look at META in");
	code = luks2_device_write(&memory, image, META_ADV_PARTITION, 0, err);
	if (!code)
		code = volume_probe_signatures(&memory, &probe, err);
	if (!code && probe.content != VOLUME_EMPTY)
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "with this value %s would be taken for %s, and META not be found "
				 "in it any more: nothing was written",
				 memory.path, probe.type);
	close(memory.fd);
	return code;
}

static enum mortise_code put(const struct volume_meta *meta, const uint8_t *bytes, size_t size,
			     uint64_t offset, struct mortise_error *err)
{
	enum mortise_code code = luks2_device_write(meta->device, bytes, size, offset, err);

	return code ? code : luks2_device_flush(meta->device, err);
}

/*
 * Two that are alike, of which readers take the first good one: that one last, so that there is
 * a good one, old or new, while the other is torn.
 */
static enum mortise_code put_pair(const struct volume_meta *meta, const uint8_t *bytes, size_t size,
				  uint64_t offset, bool first_good, struct mortise_error *err)
{
	uint64_t before = first_good ? offset + size : offset;
	uint64_t after = first_good ? offset : offset + size;
	enum mortise_code code = put(meta, bytes, size, before, err);

	return code ? code : put(meta, bytes, size, after, err);
}

/*
 * Nothing but zeros yet. Of a long value a cut could leave the middle alone, which nobody would
 * know for META: an empty copy comes first, whose two sectors that are not zero have a magic
 * number each.
 */
static enum mortise_code put_empty(const struct volume_meta *meta, uint8_t *copy,
				   struct mortise_error *err)
{
	const uint8_t *zero = mortise_secret_data(meta->image);
	struct meta_adv *adv = NULL;
	enum mortise_code code;

	code = meta_adv_decode(zero, zero + OLD_OFFSET, sha256, &adv, err);
	if (!code)
		code = meta_adv_encode(adv, sha256, copy, err);
	if (!code)
		code = put(meta, copy, META_ADV_COPY, 0, err);
	meta_adv_free(adv);
	return code;
}

enum mortise_code volume_meta_store(const struct volume_meta *meta, struct mortise_error *err)
{
	const struct meta_adv_found *found = meta_adv_found(meta->adv);
	struct mortise_secret *next = NULL;
	bool old_changed = false;
	enum mortise_code code;
	uint8_t *image = NULL;

	code = mortise_secret_from(mortise_secret_data(meta->image), META_ADV_PARTITION, &next,
				   err);
	if (!code) {
		image = mortise_secret_data(next);
		code = meta_adv_encode(meta->adv, sha256, image, err);
	}
	if (code)
		goto out;
	memcpy(image + META_ADV_COPY, image, META_ADV_COPY);
	old_changed = meta_adv_encode_old(meta->adv, image + OLD_OFFSET);
	code = refuse_disguise(meta, image, err);
	/* While a copy has the tag, nobody sees whether the older block has it. */
	if (!code && old_changed)
		code = put_pair(meta, image + OLD_OFFSET, HALF, OLD_OFFSET, found->old[0], err);
	if (!code && !found->magic)
		code = put_empty(meta, image + META_ADV_COPY, err);
	if (!code)
		code = put_pair(meta, image, META_ADV_COPY, 0, found->copy[0] || !found->magic,
				err);
out:
	mortise_secret_free(next);
	return code;
}
