/* SPDX-License-Identifier: MIT */
/* A live mapping of a header. */
#include "volume/live.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/header.h"
#include "volume/activate.h"

/* A plain mapping has no header. */
static bool belongs(const struct mortise_luks2 *header, const struct volume_live *live)
{
	const struct luks2_segment *segment = &live->segment;
	const struct dm_crypt_table *table = &live->table;
	char uuid[DM_UUID_MAX + 1];

	if (!header)
		return !strncmp(live->info.uuid, "CRYPT-PLAIN-", 12);
	volume_mapping_uuid(header, live->name, uuid);
	/* After a reencryption, the volume key has another digest. */
	return !strcmp(live->info.uuid, uuid) && !strcmp(table->cipher, segment->cipher) &&
	       table->device_offset == segment->offset &&
	       table->sector_size == segment->sector_size &&
	       (!table->key_in_keyring || !strcmp(table->key_description, live->description));
}

static enum mortise_code check_mapping(const struct mortise_luks2 *header,
				       const struct volume_live *live, bool suspended,
				       struct mortise_error *err)
{
	if (!belongs(header, live))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "mapping %s does not belong to this header; close it first",
				 live->name);
	if (live->info.suspended == suspended)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0,
			 suspended ? "Volume %s is not suspended."
				   : "Volume %s is suspended; resume it first with luksResume",
			 live->name);
}

enum mortise_code volume_live_open(const struct mortise_luks2 *header, const char *name,
				   bool suspended, struct volume_live *live,
				   struct mortise_error *err)
{
	struct json_object *metadata = header ? luks2_header_metadata(header) : NULL;
	enum mortise_code code = MORTISE_OK;

	*live = (struct volume_live){ .name = name };
	if (header)
		code = luks2_usable(metadata, err);
	if (header && !code)
		code = luks2_segment_get(metadata, &live->segment, err);
	/* As in cryptsetup: two tables would have to change together. */
	if (!code && live->segment.integrity.type)
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Unsupported parameters on device %s. A volume with integrity "
				 "keeps its size and options until it is closed.",
				 name);
	if (!code)
		code = dm_open(&live->control, err);
	if (!code)
		code = dm_info(live->control, name, &live->info, err);
	if (!code)
		code = dm_crypt_table(live->control, name, &live->table, err);
	if (header && !code)
		snprintf(live->description, sizeof(live->description), "cryptsetup:%s-d%d",
			 luks2_header_uuid(header), live->segment.digest);
	return code ? code : check_mapping(header, live, suspended, err);
}

void volume_live_close(struct volume_live *live)
{
	dm_crypt_table_clear(&live->table);
	dm_close(live->control);
}

struct dm_crypt_target volume_live_target(const struct volume_live *live,
					  const struct mortise_secret *volume_key)
{
	const struct dm_crypt_table *table = &live->table;

	return (struct dm_crypt_target){
		.cipher = table->cipher,
		.key = table->key_in_keyring ? volume_key : table->key,
		.key_description = table->key_in_keyring ? live->description : NULL,
		.device_offset = table->device_offset,
		.size = table->size,
		.iv_offset = table->iv_offset,
		.sector_size = table->sector_size,
		.flags = table->flags,
	};
}
