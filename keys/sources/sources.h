/* SPDX-License-Identifier: MIT */
/* Where the passphrase of a declared key comes from. Recipes are those of Talos Linux. */
#ifndef KEYS_KINDS_H
#define KEYS_KINDS_H

#include <mortise.h>

#define KEYS_STATE_SALT_SIZE 32u

/*
 * The UUID of this machine as SMBIOS type 1 gives it, lower case, from
 * /sys/class/dmi/id/product_uuid. MORTISE_E_SYSTEM when the machine has none:
 * "failed to get UUID: ..." and that --node-uuid gives one.
 */
MORTISE_MUST_CHECK enum mortise_code keys_node_uuid_read(char uuid[static MORTISE_UUID_LEN + 1],
							 struct mortise_error *err);

/*
 * Refuses a UUID that is empty ("machine UUID is not populated") or in which one character
 * makes up more than half ("machine UUID X entropy check failed"): MORTISE_E_POLICY.
 */
MORTISE_MUST_CHECK enum mortise_code keys_node_uuid_check(const char *uuid,
							  struct mortise_error *err);

/* nodeID: the bytes of uuid, then those of volume_id ("STATE", "u-data"). Checks the UUID. */
MORTISE_MUST_CHECK enum mortise_code keys_node_id(const char *uuid, const char *volume_id,
						  struct mortise_secret **out,
						  struct mortise_error *err);

/* The lock to STATE: the inner passphrase, then the 32 bytes of STATE's salt. */
MORTISE_MUST_CHECK enum mortise_code
keys_lock_to_state(const struct mortise_secret *inner,
		   const uint8_t salt[static KEYS_STATE_SALT_SIZE], struct mortise_secret **out,
		   struct mortise_error *err);

/*
 * A new recovery key in systemd's notation: 256 random bits in modhex ("cbdefghijklnrtuv"). Its
 * characters, dashes and all, are the passphrase.
 */
MORTISE_MUST_CHECK enum mortise_code keys_recovery_new(struct mortise_secret **out,
						       struct mortise_error *err);

/*
 * What a person typed, with or without dashes and in any case, as such a passphrase.
 * MORTISE_E_KEY: it is no recovery key.
 */
MORTISE_MUST_CHECK enum mortise_code keys_recovery_normalize(const struct mortise_secret *typed,
							     struct mortise_secret **out,
							     struct mortise_error *err);

/*
 * Milliseconds to pause before the next try at a source that many may ask at once:
 * exponential with full jitter, attempt counts from 0.
 */
uint32_t keys_backoff_ms(unsigned attempt);

#endif
