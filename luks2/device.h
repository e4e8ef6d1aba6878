/* SPDX-License-Identifier: MIT */
/* The device or file that holds a header: reading, writing, flushing, locking. */
#ifndef LUKS2_DEVICE_H
#define LUKS2_DEVICE_H

#include <mortise.h>

#include <sys/types.h>

struct luks2_device {
	char *path;
	int fd;			/* read-only until luks2_device_writable, -1 when closed */
	bool writable;
	bool block;		/* a block device, else a regular file */
	bool grows;		/* a file that luks2_device_grow() may extend */
	dev_t number;		/* of the block device, or of the file system with the file */
	ino_t inode;
	uint64_t size;		/* bytes */
	uint32_t logical_block;	/* bytes: the smallest write; 512 for files */
	uint32_t physical_block; /* bytes; 4096 for files */
	uint32_t optimal_io;	/* bytes, 0: unknown */
	uint32_t alignment_offset; /* bytes: where the first physical block begins, 0: unknown */
	struct mortise_events events; /* call NULL: waits cannot be canceled */
	bool locking;		/* false: luks2_device_lock() does nothing */
	int lock_fd;		/* -1: not held */
	bool lock_exclusive;
	unsigned lock_depth;
};

/*
 * Opens for reading. MORTISE_E_DEVICE: "Device X does not exist or access denied.", or X is
 * neither a block device nor a regular file.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_device_open(const char *path, bool locking,
						       struct luks2_device **out,
						       struct mortise_error *err);
/*
 * Opens the device of a location's header for reading, with the location's locking and events.
 * MORTISE_E_USAGE: no device is named.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_device_open_location(const struct mortise_location *location, struct luks2_device **out,
			   struct mortise_error *err);
void luks2_device_close(struct luks2_device *device);

/* Opens for writing, once. MORTISE_E_CHANGED: the path leads to another device. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_writable(struct luks2_device *device,
							   struct mortise_error *err);

/* MORTISE_E_BUSY: the block device is mapped or mounted. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_unused(const struct luks2_device *device,
							 struct mortise_error *err);

/* Reads or writes all size bytes. The error has errno and the offset. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_read(const struct luks2_device *device,
						       void *bytes, size_t size, uint64_t offset,
						       struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_device_write(const struct luks2_device *device,
							const void *bytes, size_t size,
							uint64_t offset, struct mortise_error *err);
/* On MORTISE_OK everything written is on stable storage. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_flush(const struct luks2_device *device,
							struct mortise_error *err);

/*
 * Is it a regular file without contents: empty, or zero bytes only? Only a file like this may become
 * a header file; any other may be a key file whose name was given by mistake.
 */
bool luks2_device_is_blank(const struct luks2_device *device);

/* Extends the file to at least size bytes, if device->grows. The new part is a hole. */
MORTISE_MUST_CHECK enum mortise_code luks2_device_grow(struct luks2_device *device, uint64_t size,
						       struct mortise_error *err);

/*
 * Takes cryptsetup's lock: flock(2) on /run/cryptsetup/L_MAJOR:MINOR for a block device, on the
 * file itself for a regular file. Waits for other holders, unless canceled (MORTISE_E_CANCELED).
 * Calls nest, except an exclusive lock inside a shared one.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_device_lock(struct luks2_device *device, bool exclusive,
						       struct mortise_error *err);
void luks2_device_unlock(struct luks2_device *device);

/*
 * Takes cryptsetup's lock of a reencryption, without waiting, unless the device has no locks. *fd:
 * close(2) releases it; -1: there is nothing to release. MORTISE_E_BUSY: "Reencryption process is already running."
 */
MORTISE_MUST_CHECK enum mortise_code luks2_reencrypt_lock(const struct luks2_device *device,
							  const char *uuid, int *fd,
							  struct mortise_error *err);

#endif
