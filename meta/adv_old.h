/* SPDX-License-Identifier: MIT */
/* Syslinux's ADV, the older block of META: short values in two identical halves. */
#ifndef META_ADV_OLD_H
#define META_ADV_OLD_H

#include "meta/adv.h"

#define META_ADV_OLD_HALF     (META_ADV_OLD / 2u)
#define META_ADV_OLD_CAPACITY 500u /* bytes of entries, of which each has 2 of head */

/* Does the half have one of its two magic numbers? */
bool meta_adv_old_has_magic(const uint8_t *half);
/* Both magic numbers and the checksum. */
bool meta_adv_old_valid(const uint8_t *half);

/* Copies the entries of a valid half: META_ADV_OLD_CAPACITY bytes, zero after the last entry. */
void meta_adv_old_decode(const uint8_t *half, uint8_t *entries);
/* NULL if the tag has no entry. */
const uint8_t *meta_adv_old_find(const uint8_t *entries, uint8_t tag, size_t *size);
/* False if the tag has no entry. */
bool meta_adv_old_delete(uint8_t *entries, uint8_t tag);
void meta_adv_old_encode(const uint8_t *entries, uint8_t *half);

#endif
