/* SPDX-License-Identifier: MIT */
#include "meta/adv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "meta/adv_old.h"

/* A copy, big-endian: magic, entries (tag, size, value), SHA-256, magic. */
#define MAGIC1	      UINT32_C(0x5a4b3c2d)
#define MAGIC2	      UINT32_C(0xa5b4c3d2)
#define ENTRIES	      4u
#define CHECKSUM      (META_ADV_COPY - 36u)
#define CHECKSUM_SIZE 32u
#define MAGIC2_AT     (META_ADV_COPY - 4u)
#define HEAD	      8u
#define TAGS	      256u

_Static_assert(CHECKSUM - ENTRIES == META_ADV_CAPACITY, "entries end where the checksum begins");

struct meta_adv {
	struct meta_adv_found found;
	size_t used;		     /* bytes of entries in copy */
	uint8_t copy[META_ADV_COPY]; /* the copy to write, without its checksum */
	bool old_changed;
	uint8_t old[META_ADV_OLD_CAPACITY]; /* entries of the older block */
};

struct item {
	uint32_t tag;
	const uint8_t *value;
	size_t size;
};

static uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_be32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* Reads the entry at offset at of the entries. *overrun: it extends past their end. */
static bool read_item(const uint8_t *copy, size_t at, struct item *item, bool *overrun)
{
	const uint8_t *entries = copy + ENTRIES;

	*overrun = false;
	if (META_ADV_CAPACITY - at < HEAD)
		return false;
	item->tag = load_be32(entries + at);
	item->size = load_be32(entries + at + 4);
	item->value = entries + at + HEAD;
	if (!item->tag)
		return false;
	*overrun = item->size > META_ADV_CAPACITY - at - HEAD;
	return !*overrun;
}

static bool entries_valid(const uint8_t *copy)
{
	bool overrun = false;
	struct item item;

	for (size_t at = 0; read_item(copy, at, &item, &overrun);)
		at += HEAD + item.size;
	return !overrun;
}

/* scratch holds META_ADV_COPY bytes. */
static enum mortise_code check_copy(const uint8_t *copy, meta_adv_sha256 *sha256, uint8_t *scratch,
				    bool *good, struct mortise_error *err)
{
	uint8_t digest[CHECKSUM_SIZE];
	enum mortise_code code;

	*good = false;
	if (load_be32(copy) != MAGIC1 || load_be32(copy + MAGIC2_AT) != MAGIC2)
		return MORTISE_OK;
	memcpy(scratch, copy, META_ADV_COPY);
	memset(scratch + CHECKSUM, 0, CHECKSUM_SIZE);
	code = sha256(&(struct keys_bytes){ scratch, META_ADV_COPY }, 1, digest, err);
	if (!code)
		*good = !memcmp(digest, copy + CHECKSUM, CHECKSUM_SIZE) && entries_valid(copy);
	return code;
}

static void append_item(struct meta_adv *adv, const struct item *item)
{
	uint8_t *at = adv->copy + ENTRIES + adv->used;

	store_be32(at, item->tag);
	store_be32(at + 4, (uint32_t)item->size);
	memcpy(at + HEAD, item->value, item->size);
	adv->used += HEAD + item->size;
}

/*
 * Copies the entries by ascending tag. Of entries with the same tag the last one counts, as in
 * Talos. Tags above 255, which a newer Talos may use, are kept in their order.
 */
static void copy_entries(struct meta_adv *adv, const uint8_t *copy)
{
	size_t last[TAGS] = { 0 }; /* offset plus 1; 0: no entry */
	struct item item;
	bool overrun;
	size_t at;

	for (at = 0; read_item(copy, at, &item, &overrun); at += HEAD + item.size) {
		if (item.tag < TAGS)
			last[item.tag] = at + 1;
	}
	for (size_t tag = 1; tag < TAGS; tag++) {
		if (last[tag] && read_item(copy, last[tag] - 1, &item, &overrun))
			append_item(adv, &item);
	}
	for (at = 0; read_item(copy, at, &item, &overrun); at += HEAD + item.size) {
		if (item.tag >= TAGS)
			append_item(adv, &item);
	}
}

static bool has_magic(const uint8_t *copy)
{
	return load_be32(copy) == MAGIC1 || load_be32(copy + MAGIC2_AT) == MAGIC2;
}

enum mortise_code meta_adv_decode(const uint8_t *copies, const uint8_t *old,
				  meta_adv_sha256 *sha256, struct meta_adv **out,
				  struct mortise_error *err)
{
	struct meta_adv *adv = calloc(1, sizeof(*adv));
	enum mortise_code code = MORTISE_OK;
	struct meta_adv_found *found;

	*out = NULL;
	if (!adv)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot read META");
	found = &adv->found;
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *copy = copies + i * META_ADV_COPY,
			      *half = old + i * META_ADV_OLD_HALF;

		code = check_copy(copy, sha256, adv->copy, &found->copy[i], err);
		if (code)
			goto out;
		found->old[i] = meta_adv_old_valid(half);
		found->magic = found->magic || has_magic(copy) || meta_adv_old_has_magic(half);
	}
	memset(adv->copy, 0, sizeof(adv->copy));
	if (found->copy[0] || found->copy[1])
		copy_entries(adv, found->copy[0] ? copies : copies + META_ADV_COPY);
	if (found->old[0] || found->old[1])
		meta_adv_old_decode(found->old[0] ? old : old + META_ADV_OLD_HALF, adv->old);
	*out = adv;
	adv = NULL;
out:
	meta_adv_free(adv);
	return code;
}

void meta_adv_free(struct meta_adv *adv)
{
	if (!adv)
		return;
	secret_wipe(adv, sizeof(*adv));
	free(adv);
}

const struct meta_adv_found *meta_adv_found(const struct meta_adv *adv)
{
	return &adv->found;
}

/* Finds the entry of tag. *at is its offset, or the offset to insert it at. */
static bool find_item(const struct meta_adv *adv, uint8_t tag, size_t *at, struct item *item)
{
	bool overrun;

	*at = 0;
	while (read_item(adv->copy, *at, item, &overrun) && item->tag < tag)
		*at += HEAD + item->size;
	return *at < adv->used && item->tag == tag;
}

bool meta_adv_find(const struct meta_adv *adv, uint8_t tag, struct mortise_meta_entry *entry)
{
	struct item item;
	bool old = false;
	size_t at;

	if (!tag)
		return false;
	if (!find_item(adv, tag, &at, &item)) {
		item.value = meta_adv_old_find(adv->old, tag, &item.size);
		if (!item.value)
			return false;
		old = true;
	}
	*entry = (struct mortise_meta_entry){
		.tag = tag,
		.name = meta_adv_tag_name(tag),
		.value = item.value,
		.size = item.size,
		.old = old,
	};
	return true;
}

bool meta_adv_entry(const struct meta_adv *adv, size_t i, struct mortise_meta_entry *entry)
{
	for (unsigned tag = 1; tag < TAGS; tag++) {
		if (meta_adv_find(adv, (uint8_t)tag, entry) && !i--)
			return true;
	}
	return false;
}

/* Replaces taken bytes at offset at of the entries by room bytes, which the caller fills in. */
static void resize_item(struct meta_adv *adv, size_t at, size_t taken, size_t room)
{
	uint8_t *entries = adv->copy + ENTRIES;
	size_t used = adv->used - taken + room;

	memmove(entries + at + room, entries + at + taken, adv->used - at - taken);
	if (used < adv->used)
		secret_wipe(entries + used, adv->used - used);
	adv->used = used;
}

enum mortise_code meta_adv_set(struct meta_adv *adv, uint8_t tag, const void *value, size_t size,
			       struct mortise_error *err)
{
	size_t at, taken = 0, left;
	struct item item;
	uint8_t *head;

	if (!tag)
		return error_set(err, MORTISE_E_USAGE, 0, "invalid META tag 0: tags are 1 to 255");
	if (find_item(adv, tag, &at, &item))
		taken = HEAD + item.size;
	left = META_ADV_CAPACITY - (adv->used - taken);
	if (left < HEAD || size > left - HEAD)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "cannot store %zu bytes under META tag %u: only %zu are free; "
				 "delete a tag",
				 size, tag, left < HEAD ? 0 : left - HEAD);
	resize_item(adv, at, taken, HEAD + size);
	head = adv->copy + ENTRIES + at;
	store_be32(head, tag);
	store_be32(head + 4, (uint32_t)size);
	if (size)
		memcpy(head + HEAD, value, size);
	return MORTISE_OK;
}

bool meta_adv_delete(struct meta_adv *adv, uint8_t tag)
{
	struct item item;
	bool deleted, old;
	size_t at;

	if (!tag)
		return false;
	deleted = find_item(adv, tag, &at, &item);
	if (deleted)
		resize_item(adv, at, HEAD + item.size, 0);
	old = meta_adv_old_delete(adv->old, tag);
	adv->old_changed = adv->old_changed || old;
	return deleted || old;
}

enum mortise_code meta_adv_encode(const struct meta_adv *adv, meta_adv_sha256 *sha256,
				  uint8_t *copy, struct mortise_error *err)
{
	uint8_t digest[CHECKSUM_SIZE];
	enum mortise_code code;

	memcpy(copy, adv->copy, META_ADV_COPY);
	store_be32(copy, MAGIC1);
	memset(copy + CHECKSUM, 0, CHECKSUM_SIZE);
	store_be32(copy + MAGIC2_AT, MAGIC2);
	code = sha256(&(struct keys_bytes){ copy, META_ADV_COPY }, 1, digest, err);
	if (!code)
		memcpy(copy + CHECKSUM, digest, CHECKSUM_SIZE);
	return code;
}

bool meta_adv_encode_old(const struct meta_adv *adv, uint8_t *old)
{
	if (!adv->old_changed)
		return false;
	meta_adv_old_encode(adv->old, old);
	memcpy(old + META_ADV_OLD_HALF, old, META_ADV_OLD_HALF);
	return true;
}

const char *meta_adv_tag_name(uint8_t tag)
{
	static const char *const names[] = {
		[6] = "Upgrade",
		[7] = "StagedUpgradeImageRef",
		[8] = "StagedUpgradeInstallOptions",
		[MORTISE_META_STATE_ENCRYPTION] = "StateEncryptionConfig",
		[10] = "MetalNetworkPlatformConfig",
		[11] = "DownloadURLCode",
		[12] = "UserReserved1",
		[13] = "UserReserved2",
		[14] = "UserReserved3",
		[MORTISE_META_UUID_OVERRIDE] = "UUIDOverride",
		[16] = "UniqueMachineToken",
		[17] = "DiskImageBootloader",
	};

	if (tag == MORTISE_META_RESET)
		return "MortiseReset";
	return tag < sizeof(names) / sizeof(names[0]) && names[tag] ? names[tag] : "";
}
