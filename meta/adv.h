/* SPDX-License-Identifier: MIT */
/*
 * What stands in the META partition: Talos's ADV, tagged values in two copies with a checksum,
 * and syslinux's older block, which is read and kept. Bytes in, bytes out; no device is known.
 */
#ifndef META_ADV_H
#define META_ADV_H

#include <mortise.h>

#define META_ADV_PARTITION	(UINT64_C(1) << 20)	/* bytes, exactly */
#define META_ADV_COPY		(256u << 10)		/* bytes of a copy; A at 0, B behind it */
#define META_ADV_CAPACITY	262104u			/* bytes of entries, 8 of each its head */
#define META_ADV_OLD		1024u			/* bytes of the older block, the last ones */

struct meta_adv;

/* From the first copy, the second, and the older block. Nothing good in any: empty. */
MORTISE_MUST_CHECK enum mortise_code meta_adv_decode(const uint8_t *copies, const uint8_t *old,
						     struct meta_adv **out,
						     struct mortise_error *err);
/* NULL is allowed. Wipes. */
void meta_adv_free(struct meta_adv *adv);

/* Entry i by ascending tag; false when there is none. name is not filled. */
bool meta_adv_entry(const struct meta_adv *adv, size_t i, struct mortise_meta_entry *entry);

/* Changes it in memory. MORTISE_E_NO_SPACE, MORTISE_E_USAGE (tag 0). */
MORTISE_MUST_CHECK enum mortise_code meta_adv_set(struct meta_adv *adv, uint8_t tag,
						  const void *value, size_t size,
						  struct mortise_error *err);
/* From the older block too, or it would show through. False when there was none. */
bool meta_adv_delete(struct meta_adv *adv, uint8_t tag);

/* One copy, META_ADV_COPY bytes; and the older block, META_ADV_OLD bytes. */
void meta_adv_encode(const struct meta_adv *adv, uint8_t *copy);
void meta_adv_encode_old(const struct meta_adv *adv, uint8_t *old);

/* "StateEncryptionConfig"; "" for a tag without a known name. */
const char *meta_adv_tag_name(uint8_t tag);

#endif
