/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "luks2/uuid.h"
#include "meta/partition.h"

struct mortise_meta {
	struct meta_adv *adv;
	struct mortise_meta_entry entries[UINT8_MAX]; /* by ascending tag */
	size_t count;
};

enum mortise_code mortise_meta_read(const char *device, const struct mortise_events *events,
				    struct mortise_meta **out, struct mortise_error *err)
{
	struct mortise_meta *made = calloc(1, sizeof(*made));
	struct meta_partition meta;
	enum mortise_code code;

	*out = NULL;
	if (!made)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot read META");
	code = meta_partition_open(device, events, false, &meta, err);
	if (code) {
		free(made);
		return code;
	}
	made->adv = meta.adv;
	while (made->count < UINT8_MAX &&
	       meta_adv_entry(made->adv, made->count, &made->entries[made->count]))
		made->count++;
	meta.adv = NULL;
	meta_partition_close(&meta);
	*out = made;
	return MORTISE_OK;
}

void mortise_meta_free(struct mortise_meta **address)
{
	struct mortise_meta *meta = address ? *address : NULL;

	if (!meta)
		return;
	*address = NULL;
	meta_adv_free(meta->adv);
	free(meta);
}

const struct mortise_meta_entry *mortise_meta_entry(const struct mortise_meta *meta, size_t i)
{
	return i < meta->count ? &meta->entries[i] : NULL;
}

const struct mortise_meta_entry *mortise_meta_find(const struct mortise_meta *meta, uint8_t tag)
{
	for (size_t i = 0; i < meta->count; i++)
		if (meta->entries[i].tag == tag)
			return &meta->entries[i];
	return NULL;
}

/* KMS and nodeID keys identify the machine by this UUID: a mistyped one would lock it out. */
static enum mortise_code check_uuid(const void *value, size_t size, struct mortise_error *err)
{
	char text[MORTISE_UUID_LEN + 1] = "", uuid[MORTISE_UUID_LEN + 1];

	if (!size)
		return MORTISE_OK;
	if (size == MORTISE_UUID_LEN)
		memcpy(text, value, size);
	if (luks2_uuid_parse(text, uuid, NULL))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid value of META tag %d: it must be a UUID of %u "
				 "characters, or empty",
				 MORTISE_META_UUID_OVERRIDE, MORTISE_UUID_LEN);
	return MORTISE_OK;
}

static bool has_value(const struct meta_partition *meta, uint8_t tag, const void *value,
		      size_t size)
{
	struct mortise_meta_entry entry;

	return meta_adv_find(meta->adv, tag, &entry) && entry.size == size &&
	       (!size || !memcmp(entry.value, value, size));
}

enum mortise_code mortise_meta_set(const char *device, const struct mortise_events *events,
				   uint8_t tag, const void *value, size_t size,
				   struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct meta_partition meta;
	bool same;

	if (tag == MORTISE_META_UUID_OVERRIDE)
		code = check_uuid(value, size, err);
	/*
	 * Usually the value is unchanged. A shared lock then suffices, which neither waits for
	 * readers nor locks the disk.
	 */
	if (!code)
		code = meta_partition_open(device, events, false, &meta, err);
	if (code)
		return code;
	same = has_value(&meta, tag, value, size) && !meta_copies_differ(&meta);
	meta_partition_close(&meta);
	if (same)
		return MORTISE_OK;
	code = meta_partition_open(device, events, true, &meta, err);
	if (code)
		return code;
	same = has_value(&meta, tag, value, size);
	if (!same)
		code = meta_adv_set(meta.adv, tag, value, size, err);
	if (!code && (!same || meta_copies_differ(&meta)))
		code = meta_partition_store(&meta, err);
	meta_partition_close(&meta);
	return code;
}

enum mortise_code mortise_meta_delete(const char *device, const struct mortise_events *events,
				      uint8_t tag, struct mortise_error *err)
{
	struct meta_partition meta;
	enum mortise_code code = meta_partition_open(device, events, true, &meta, err);

	if (code)
		return code;
	if (meta_adv_delete(meta.adv, tag) || meta_copies_differ(&meta))
		code = meta_partition_store(&meta, err);
	meta_partition_close(&meta);
	return code;
}

bool mortise_meta_tag_parse(const char *text, uint8_t *tag)
{
	const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	unsigned number;

	for (number = 1; number <= UINT8_MAX; number++) {
		const char *name = meta_adv_tag_name((uint8_t)number);

		if (*name && !strcasecmp(name, text))
			break;
	}
	if (number > UINT8_MAX) {
		/* Only digits: strtoul(3) accepts signs and blanks, too. */
		if (!*digits ||
		    digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
			return false;
		number = 0;
		if (strlen(digits) <= 8)
			number = (unsigned)strtoul(digits, NULL, hex ? 16 : 10);
	}
	if (!number || number > UINT8_MAX)
		return false;
	*tag = (uint8_t)number;
	return true;
}
