/* SPDX-License-Identifier: MIT */
/*
 * The contents of the META partition: Talos's ADV, two copies of tagged values with a checksum,
 * and syslinux's older block, which is read and kept. These functions work on memory alone.
 */
#ifndef META_ADV_H
#define META_ADV_H

#include <mortise-declared.h>

#include "keys/hash.h"

#define META_ADV_PARTITION	(UINT64_C(1) << 20)	/* bytes, exactly */
#define META_ADV_COPY		(256u << 10)		/* bytes of a copy; A at 0, then B */
#define META_ADV_CAPACITY	262104u			/* bytes of entries with their heads of 8 */
#define META_ADV_OLD		1024u			/* bytes of the older block, at the end */

struct meta_adv;

/* keys_sha256(), or a failing or faster function in tests. */
typedef enum mortise_code meta_adv_sha256(const struct keys_bytes *part, size_t parts,
					  uint8_t digest[static 32], struct mortise_error *err);

/* The state of the partition when it was decoded; later changes do not affect it. */
struct meta_adv_found {
	bool copy[2];	/* the copy is valid: magic numbers, checksum, entries */
	bool old[2];	/* the half of the older block is valid */
	bool magic;	/* a copy or a half has one of its magic numbers */
};

/*
 * Decodes the first valid copy and the first valid half of the older block. Without any the result
 * is empty. Fails only with MORTISE_E_MEMORY or if sha256 fails.
 */
MORTISE_MUST_CHECK enum mortise_code meta_adv_decode(const uint8_t *copies, const uint8_t *old,
						     meta_adv_sha256 *sha256, struct meta_adv **out,
						     struct mortise_error *err);
/* Wipes the values. NULL is allowed. */
void meta_adv_free(struct meta_adv *adv);

const struct meta_adv_found *meta_adv_found(const struct meta_adv *adv);

/* Entry i by ascending tag, or the entry of a tag; false if it does not exist. */
bool meta_adv_entry(const struct meta_adv *adv, size_t i, struct mortise_meta_entry *entry);
bool meta_adv_find(const struct meta_adv *adv, uint8_t tag, struct mortise_meta_entry *entry);

/*
 * Sets a value in memory; value must not point into adv. An entry of the older block with this tag
 * stays and is hidden. MORTISE_E_NO_SPACE, MORTISE_E_USAGE (tag 0).
 */
MORTISE_MUST_CHECK enum mortise_code meta_adv_set(struct meta_adv *adv, uint8_t tag,
						  const void *value, size_t size,
						  struct mortise_error *err);
/*
 * Deletes a tag, also from the older block, whose entry would reappear otherwise. False if the tag
 * has no entry.
 */
bool meta_adv_delete(struct meta_adv *adv, uint8_t tag);

/* Writes one copy of META_ADV_COPY bytes. Entries with tags above 255 follow the others. */
MORTISE_MUST_CHECK enum mortise_code meta_adv_encode(const struct meta_adv *adv,
						     meta_adv_sha256 *sha256, uint8_t *copy,
						     struct mortise_error *err);
/* Writes the older block of META_ADV_OLD bytes. False: it is unchanged, nothing was written. */
bool meta_adv_encode_old(const struct meta_adv *adv, uint8_t *old);

/* "StateEncryptionConfig"; "" if the tag has no known name. */
const char *meta_adv_tag_name(uint8_t tag);

#endif
