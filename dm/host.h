/* SPDX-License-Identifier: MIT */
/* Inside dm/: the interfaces to the machine other than the control node. */
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

/* Tests replace these. */
struct dm_host {
	enum mortise_code (*block_inspect)(void *context, const char *path, bool exclusive,
					struct dm_block *block, struct mortise_error *err);
	/* Returns 0 or an errno value. */
	int (*key_add)(void *context, const char *description, const struct mortise_secret *key,
		       int32_t *serial);
	void (*key_remove)(void *context, int32_t serial);
	/* False: a signal has ended it. */
	bool (*pause)(void *context, unsigned ms);
	void *context;
};

/*
 * Reads the properties of a block device. exclusive: MORTISE_E_BUSY if it is mounted or below a
 * mapping, which device-mapper alone does not refuse.
 */
enum mortise_code dm_block_inspect(void *context, const char *path, bool exclusive,
				   struct dm_block *block, struct mortise_error *err);

/* Adds a logon key to the keyring of this thread, which dm-crypt searches first. */
int dm_key_add(void *context, const char *description, const struct mortise_secret *key,
	       int32_t *serial);
/* Removes it; the kernel wipes it. */
void dm_key_remove(void *context, int32_t serial);

bool dm_pause(void *context, unsigned ms);

/* Creates /dev/mapper/ENCODED, unless udev has. */
MORTISE_MUST_CHECK enum mortise_code dm_node_create(const char *encoded, dev_t device,
						    struct mortise_error *err);
/* Removes it if it is a node or link of this device. */
void dm_node_remove(const char *encoded, dev_t device);

/* Raises the read-ahead of a mapping to at least sectors, if possible. */
void dm_sysfs_read_ahead(dev_t device, uint32_t sectors);
/*
 * Describes the user of a device: "It is mounted on /mnt; unmount it first." False: unknown.
 */
bool dm_sysfs_describe_user(dev_t device, char *text, size_t room);

#endif
