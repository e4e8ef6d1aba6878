/* SPDX-License-Identifier: MIT */
/* The device or file that a header stands on: reading, writing, flushing, its lock. */
#ifndef LUKS2_DEVICE_H
#define LUKS2_DEVICE_H

#include <mortise.h>

#include <sys/types.h>

struct luks2_device {
	char *path;
	int fd;			/* read-only until luks2_device_writable, -1 when closed */
	bool writable;
	bool block;		/* a block device; else a regular file */
	dev_t number;		/* block: of the device; file: where it lies */
	ino_t inode;
	uint64_t size;		/* bytes */
	uint32_t logical_block;	/* bytes: smallest write; 512 for files */
	uint32_t physical_block; /* bytes; 4096 for files */
	uint32_t optimal_io;	/* bytes, 0 when the device does not say */
	bool locking;		/* take locks */
	int lock_fd;		/* -1: not held */
	bool lock_exclusive;
	unsigned lock_depth;
};

/*
 * Opens for reading. MORTISE_E_DEVICE: "Device X does not exist or access denied." or that
 * it is neither block device nor regular file.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_device_open(const char *path, bool locking,
						       struct luks2_device **out,
						       struct mortise_error *err);
void luks2_device_close(struct luks2_device *device);

/* Reopens for writing, once; the path must still lead to the same device. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_writable(struct luks2_device *device,
							   struct mortise_error *err);

/* Fails with MORTISE_E_BUSY when the kernel holds the block device (mapped, mounted). */
MORTISE_MUST_CHECK enum mortise_code luks2_device_unused(const struct luks2_device *device,
							 struct mortise_error *err);

/* Whole reads and writes at offset, with errno and offset in the error. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_read(const struct luks2_device *device,
						       void *bytes, size_t size, uint64_t offset,
						       struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_device_write(const struct luks2_device *device,
							const void *bytes, size_t size,
							uint64_t offset, struct mortise_error *err);
/* Everything written is on stable storage when this returns MORTISE_OK. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_flush(const struct luks2_device *device,
							struct mortise_error *err);

/* Makes a regular file at least size bytes long. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_grow(struct luks2_device *device, uint64_t size,
						       struct mortise_error *err);

/*
 * The lock that cryptsetup honours too: flock(2) on /run/cryptsetup/L_MAJOR:MINOR for a
 * block device, on the file itself for a file. Nests; an exclusive one inside a shared one
 * is refused. Waits for other holders.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_device_lock(struct luks2_device *device, bool exclusive,
						       struct mortise_error *err);
void luks2_device_unlock(struct luks2_device *device);

#endif
