/* SPDX-License-Identifier: MIT */
/* Inside dm/: what a mapping needs of the machine beside the control node. */
#ifndef DM_HOST_H
#define DM_HOST_H

#include "dm/dm.h"

/* The block device below. */
struct dm_block {
	dev_t number;
	uint64_t size;		/* bytes */
	uint32_t logical;	/* bytes of a logical block */
	uint32_t read_ahead;	/* sectors */
	bool readonly;
};

/* The second seam: tests put their own here. */
struct dm_host {
	enum mortise_code (*block_look)(void *context, const char *path, bool exclusive,
					struct dm_block *block, struct mortise_error *err);
	/* Returns 0 or an errno value. */
	int (*key_add)(void *context, const char *description, const struct mortise_secret *key,
		       int32_t *serial);
	void (*key_drop)(void *context, int32_t serial);
	void (*pause)(void *context, unsigned ms);
	void *context;
};

/*
 * Looks at a block device without keeping it open. exclusive: MORTISE_E_BUSY when it is
 * mounted or has a mapping already (device-mapper itself shares devices among mappings).
 */
enum mortise_code dm_block_look(void *context, const char *path, bool exclusive,
				struct dm_block *block, struct mortise_error *err);

/* Puts a logon key into the keyring of this thread, where dm-crypt looks first. */
int dm_key_add(void *context, const char *description, const struct mortise_secret *key,
	       int32_t *serial);
/* Takes it out again and has the kernel wipe it. */
void dm_key_drop(void *context, int32_t serial);

void dm_pause(void *context, unsigned ms);

/* Sees to /dev/mapper/ENCODED. */
MORTISE_MUST_CHECK enum mortise_code dm_node_make(const char *encoded, dev_t device,
						  struct mortise_error *err);
/* Removes it when it is the node or link of this device. */
void dm_node_remove(const char *encoded, dev_t device);

/* Raises the read-ahead of a mapping to that of the device below; best effort. */
void dm_sysfs_read_ahead(dev_t device, uint32_t sectors);
/*
 * Who uses a device, as the end of a sentence: "It is mounted on /mnt: unmount it first.".
 * false when that cannot be said.
 */
bool dm_sysfs_user(dev_t device, char *text, size_t room);

#endif
