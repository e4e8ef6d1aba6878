/* SPDX-License-Identifier: MIT */
/*
 * What stands in the META partition: Talos's ADV, tagged values in two copies with a checksum,
 * and syslinux's older block, which is read and kept. Bytes in, bytes out; no device is known.
 */
#ifndef META_ADV_H
#define META_ADV_H

#include <mortise-declared.h>

#include "keys/hash.h"

#define META_ADV_PARTITION	(UINT64_C(1) << 20)	/* bytes, exactly */
#define META_ADV_COPY		(256u << 10)		/* bytes of a copy; A at 0, B behind it */
#define META_ADV_CAPACITY	262104u			/* bytes of entries, 8 of each its head */
#define META_ADV_OLD		1024u			/* bytes of the older block, the last ones */

struct meta_adv;

/* keys_sha256(), or a failing or faster function in tests. */
typedef enum mortise_code meta_adv_sha256(const struct keys_bytes *part, size_t parts,
					  uint8_t digest[static 32], struct mortise_error *err);

/* What stood there when it was decoded, whatever was changed since. */
struct meta_adv_found {
	bool copy[2];	/* good: magic numbers, checksum, entries */
	bool old[2];	/* the same of each half of the older block */
	bool magic;	/* a magic number at its place, of a copy or of the older block */
};

/*
 * From both copies, the first good one counting, and the older block, of which the first good
 * half counts. Nothing good in any: empty. It fails for want of memory only, and as sha256 does.
 */
MORTISE_MUST_CHECK enum mortise_code meta_adv_decode(const uint8_t *copies, const uint8_t *old,
						     meta_adv_sha256 *sha256, struct meta_adv **out,
						     struct mortise_error *err);
/* NULL is allowed. Wipes. */
void meta_adv_free(struct meta_adv *adv);

const struct meta_adv_found *meta_adv_found(const struct meta_adv *adv);

/* Entry i by ascending tag, and the entry of a tag; false when there is none. */
bool meta_adv_entry(const struct meta_adv *adv, size_t i, struct mortise_meta_entry *entry);
bool meta_adv_find(const struct meta_adv *adv, uint8_t tag, struct mortise_meta_entry *entry);

/*
 * Changes it in memory; value is not of this object. The older block is left alone: what it has
 * under this tag no longer shows. MORTISE_E_NO_SPACE, MORTISE_E_USAGE (tag 0).
 */
MORTISE_MUST_CHECK enum mortise_code meta_adv_set(struct meta_adv *adv, uint8_t tag,
						  const void *value, size_t size,
						  struct mortise_error *err);
/* From the older block too, or it would show through. False when there was none. */
bool meta_adv_delete(struct meta_adv *adv, uint8_t tag);

/* One copy, META_ADV_COPY bytes. Entries whose tag is above 255 are kept behind the others. */
MORTISE_MUST_CHECK enum mortise_code meta_adv_encode(const struct meta_adv *adv,
						     meta_adv_sha256 *sha256, uint8_t *copy,
						     struct mortise_error *err);
/* The older block, META_ADV_OLD bytes. False: no tag of it has changed, leave it as it is. */
bool meta_adv_encode_old(const struct meta_adv *adv, uint8_t *old);

/* "StateEncryptionConfig"; "" for a tag without a known name. */
const char *meta_adv_tag_name(uint8_t tag);

#endif
