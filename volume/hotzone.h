/* SPDX-License-Identifier: MIT */
/* Re-encrypting zones of the data: reading, protecting, converting, and writing, by all processors. */
#ifndef VOLUME_HOTZONE_H
#define VOLUME_HOTZONE_H

#include "luks2/reencrypt.h"

#define HOTZONE_MAX (24u << 20) /* bytes at a time; two zones are in memory */

struct hotzone;

/*
 * Opens the data device for exclusive use. state, the keys (NULL: not encrypted) and header live
 * longer than the result. shared: the mapping of the volume may use the device. MORTISE_E_BUSY: the device is mapped or mounted. MORTISE_E_NO_SPACE: it is
 * smaller than the data, or not a multiple of the zones' unit. MORTISE_E_UNSUPPORTED: a cipher.
 */
MORTISE_MUST_CHECK enum mortise_code hotzone_open(const struct mortise_luks2 *header,
						  const struct luks2_reencryption *state,
						  const struct mortise_secret *old_key,
						  const struct mortise_secret *new_key, bool shared,
						  struct hotzone **out, struct mortise_error *err);
/* Wipes the buffers; NULL is allowed. */
void hotzone_close(struct hotzone *hotzone);

/* Bytes of the largest zone that a guard can recover; 0: the guard protects nothing. */
uint64_t hotzone_guarded(const struct luks2_reencryption *state, enum luks2_guard guard);

/* Bytes of all data. */
uint64_t hotzone_data_size(const struct hotzone *hotzone);

/* The largest zone that its protection and limit (bytes, 0: the default) allow, at least one unit. */
uint64_t hotzone_largest(const struct hotzone *hotzone, uint64_t limit);

/*
 * Reads the zone for the next hotzone_protect() in the background, and converts it in memory. Until
 * then, nothing may write there.
 */
void hotzone_read_ahead(struct hotzone *hotzone, const struct luks2_zone *zone);

/*
 * Reads a zone, writes its protection to the area of the keyslot, and converts it in memory. Call
 * hotzone_flush_protection() before the header says that the zone is being written.
 */
MORTISE_MUST_CHECK enum mortise_code hotzone_protect(struct hotzone *hotzone,
						     const struct luks2_zone *zone,
						     struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code hotzone_flush_protection(const struct hotzone *hotzone,
							      const struct luks2_zone *zone,
							      struct mortise_error *err);

/* Writes the zone that hotzone_protect() has converted. Returns after a flush. */
MORTISE_MUST_CHECK enum mortise_code hotzone_convert(struct hotzone *hotzone,
						     const struct luks2_zone *zone,
						     struct mortise_error *err);

/* Finishes a zone of any size whose conversion was interrupted, from its protection. */
MORTISE_MUST_CHECK enum mortise_code hotzone_recover(struct hotzone *hotzone,
						     const struct luks2_zone *zone,
						     struct mortise_error *err);

#endif
