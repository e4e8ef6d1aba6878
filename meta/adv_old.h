/* SPDX-License-Identifier: MIT */
/* Syslinux's ADV, which is the older block of META: short values, two halves that are alike. */
#ifndef META_ADV_OLD_H
#define META_ADV_OLD_H

#include "meta/adv.h"

#define META_ADV_OLD_HALF     (META_ADV_OLD / 2u)
#define META_ADV_OLD_CAPACITY 500u /* bytes of entries, 2 of each its head */

/* A magic number of a half at its place; and the whole of it, checksum too. */
bool meta_adv_old_magic(const uint8_t *half);
bool meta_adv_old_good(const uint8_t *half);

/* The entries of a good half: META_ADV_OLD_CAPACITY bytes, zero behind the last. */
void meta_adv_old_take(const uint8_t *half, uint8_t *entries);
/* NULL: there is no such tag. */
const uint8_t *meta_adv_old_find(const uint8_t *entries, uint8_t tag, size_t *size);
/* False when there was none. */
bool meta_adv_old_delete(uint8_t *entries, uint8_t tag);
void meta_adv_old_encode(const uint8_t *entries, uint8_t *half);

#endif
