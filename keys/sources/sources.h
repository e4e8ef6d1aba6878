/* SPDX-License-Identifier: MIT */
/* The sources of the passphrases of declared keys, with the same methods as in Talos Linux. */
#ifndef KEYS_SOURCES_H
#define KEYS_SOURCES_H

#include <mortise.h>

#define KEYS_STATE_SALT_SIZE 32u

/*
 * Reads the UUID of this machine (SMBIOS type 1) from /sys/class/dmi/id/product_uuid, in lower
 * case. MORTISE_E_SYSTEM: the machine has none ("failed to get UUID ...").
 */
MORTISE_MUST_CHECK enum mortise_code keys_node_uuid_read(char uuid[static MORTISE_UUID_LEN + 1],
							 struct mortise_error *err);

#define KEYS_NODE_TEXT_ROOM 128u

/* Sources of the name of a machine without SMBIOS. */
enum keys_node_source {
	KEYS_NODE_DEVICE_TREE,	/* the serial number that the boot loader puts into the device tree */
	KEYS_NODE_MACHINE_ID,	/* /etc/machine-id: as secret as the file system that holds it */
};

/*
 * Reads the name, which is used in place of the UUID. root is a prefix of the paths, for tests.
 * MORTISE_E_SYSTEM: the machine has none. MORTISE_E_POLICY: users other than root can change it.
 */
MORTISE_MUST_CHECK enum mortise_code keys_node_text_read(enum keys_node_source source,
							 const char *root,
							 char text[static KEYS_NODE_TEXT_ROOM],
							 struct mortise_error *err);

/*
 * MORTISE_E_POLICY: uuid is empty ("machine UUID is not populated"), or more than half of it is one
 * character ("machine UUID X entropy check failed").
 */
MORTISE_MUST_CHECK enum mortise_code keys_node_uuid_check(const char *uuid,
							  struct mortise_error *err);

/* nodeID: the bytes of uuid, then those of volume_id ("STATE", "u-data"). Checks uuid. */
MORTISE_MUST_CHECK enum mortise_code keys_node_id(const char *uuid, const char *volume_id,
						  struct mortise_secret **out,
						  struct mortise_error *err);

/* The lock to STATE: the bytes of the inner passphrase, then the 32 bytes of STATE's salt. */
MORTISE_MUST_CHECK enum mortise_code
keys_lock_to_state(const struct mortise_secret *inner,
		   const uint8_t salt[static KEYS_STATE_SALT_SIZE], struct mortise_secret **out,
		   struct mortise_error *err);

/*
 * Creates a recovery key in systemd's notation: 256 random bits in modhex ("cbdefghijklnrtuv"). Its
 * characters, including the dashes, are the passphrase.
 */
MORTISE_MUST_CHECK enum mortise_code keys_recovery_new(struct mortise_secret **out,
						       struct mortise_error *err);

/*
 * Converts a recovery key as typed by a user, with or without dashes and in any letter case, to the
 * passphrase. MORTISE_E_KEY: not a recovery key.
 */
MORTISE_MUST_CHECK enum mortise_code keys_recovery_normalize(const struct mortise_secret *typed,
							     struct mortise_secret **out,
							     struct mortise_error *err);

/*
 * Returns the pause in milliseconds before the next attempt to reach a source that many machines
 * may use at the same time: exponential backoff with full jitter. attempt counts from 0.
 */
uint32_t keys_backoff_ms(unsigned attempt);

#endif
