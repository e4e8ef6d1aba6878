/* SPDX-License-Identifier: MIT */
/* The device-mapper table of a volume in reencryption: one target for each segment of the data. */
#ifndef VOLUME_TABLE_H
#define VOLUME_TABLE_H

#include "dm/dm.h"
#include "luks2/reencrypt.h"

/* The targets are linked; they refer to the header, the keys and device. */
struct volume_table {
	struct dm_crypt_target part[DM_TARGETS_MAX];
	unsigned count;
	uint64_t size;		/* bytes of the mapping */
	char description[2][96]; /* of the keys in the keyring: before, after */
};

/* What the targets need in addition to the header's segments. */
struct volume_table_source {
	const struct mortise_luks2 *header;
	const struct luks2_reencryption *state;
	const struct mortise_secret *old_key, *new_key; /* NULL: as in struct continuation */
	const char *device;	/* path of the data device */
	uint64_t device_size;	/* bytes */
	uint32_t dm_flags;	/* enum dm_crypt_flags */
	bool no_keyring;	/* the keys are in the table */
};

/* MORTISE_E_POLICY: the segments, a cipher or a key. MORTISE_E_NO_SPACE: the device is too small. */
MORTISE_MUST_CHECK enum mortise_code volume_table_build(const struct volume_table_source *source,
							struct volume_table *table,
							struct mortise_error *err);

/* Replaces a zone of the mapping by the same bytes of another mapping. path: of that, as long as table. */
void volume_table_cut(struct volume_table *table, const struct luks2_zone *zone, const char *path);

/* The first size bytes; no more, if the table is smaller. size is not 0. */
void volume_table_trim(struct volume_table *table, uint64_t size);

/* Does a live table have these targets? They are on path, whose number is device, or on helper. */
bool volume_table_matches(const struct volume_table *table, const struct dm_crypt_table *live,
			  size_t count, const char *path, dev_t device, dev_t helper);

#endif
