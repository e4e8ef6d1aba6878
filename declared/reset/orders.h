/* SPDX-License-Identifier: MIT */
/*
 * Orders to erase volumes at the next run, ROOT/system/state/resets.json. They are in STATE for the
 * same reason as the list of known volumes: an attacker who can write to the disk can wipe a volume,
 * but must not be able to have it formatted again without notice.
 */
#ifndef DECLARED_RESET_ORDERS_H
#define DECLARED_RESET_ORDERS_H

#include <json-c/json.h>
#include <stddef.h>

#include "disk/probe.h"
#include "disk/uuids.h"

#define RESET_PATH_MAX	 256u
#define RESET_ORDERS_MAX 512u /* as many as the list of known volumes can have */

/* How a plan treats an order. */
enum reset_plan {
	RESET_NONE,		/* the volume has no order */
	RESET_ERASE,		/* the volume is erased, and planned as an empty one */
	RESET_IN_USE,		/* the order waits until the volume is closed */
	RESET_STALE,		/* the device holds another volume than the order names: drop it */
};

struct reset_order {
	char id[MORTISE_NAME_MAX + 3]; /* the volume's id; its name if found by another device */
	char device[RESET_PATH_MAX]; /* "": the partition labeled id */
	/* The contents at the time of the order: the order is for no others. */
	char uuid[DISK_UUID_ROOM];     /* of the LUKS2 header or file system, or "" */
	char partuuid[DISK_UUID_ROOM]; /* of its GPT partition, or "" */
	bool full;		/* overwrite the whole device */
};

/* One thread at a time may change the list; {0} is empty. */
struct reset_orders {
	const char *root;	/* of the mount points; see config_state_dir_open() */
	const char *dir;	/* where STATE is mounted, which begins with root; or "META" */
	const char *name;	/* of the list in dir; NULL: that of the file */
	struct reset_order *order;
	size_t count;
};

/*
 * Reads the orders from the directory where STATE is mounted. root and dir must outlive the list.
 * The list is empty without a file, and after a failure. MORTISE_E_CORRUPT, MORTISE_E_DEVICE.
 */
MORTISE_MUST_CHECK enum mortise_code reset_orders_load(struct reset_orders *orders,
						       const char *root, const char *dir,
						       struct mortise_error *err);
void reset_orders_clear(struct reset_orders *orders);

/* NULL: no order has this id. */
const struct reset_order *reset_orders_find(const struct reset_orders *orders, const char *id);

/* Add or replace, and remove, in memory. MORTISE_E_NO_SPACE: the list is full. */
MORTISE_MUST_CHECK enum mortise_code reset_orders_set(struct reset_orders *orders,
						      const struct reset_order *order,
						      struct mortise_error *err);
void reset_orders_remove(struct reset_orders *orders, const char *id);

/* Replaces the file. */
MORTISE_MUST_CHECK enum mortise_code reset_orders_store(const struct reset_orders *orders,
							struct mortise_error *err);

/* The same for a list in META: its text. MORTISE_E_CORRUPT. */
MORTISE_MUST_CHECK enum mortise_code reset_orders_parse(struct reset_orders *orders,
							const char *text, size_t size,
							struct mortise_error *err);
/* Free *root with json_object_put() when the text is no longer needed. NULL: out of memory. */
const char *reset_orders_text(const struct reset_orders *orders, struct json_object **root);

/* Fills uuid and partuuid of order for the contents of a device. */
void reset_order_identify(struct reset_order *order, const char *device,
			  const struct disk_probe *probe);
/*
 * Does the order lead to a volume without a further declaration: to a block device, with a UUID of
 * its contents or partition? A path alone could be that of any file or disk.
 */
MORTISE_MUST_CHECK enum mortise_code reset_order_check(const struct reset_order *order,
						       struct mortise_error *err);
/* Is the order for these contents? A device whose reset was interrupted counts as such. */
bool reset_order_is_for(const struct reset_order *order, const char *device,
			const struct disk_probe *probe);

#endif
