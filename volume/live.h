/* SPDX-License-Identifier: MIT */
/* A live mapping of a header: what its table says, and replacing the table. */
#ifndef VOLUME_LIVE_H
#define VOLUME_LIVE_H

#include "dm/dm.h"
#include "luks2/policy.h"

struct volume_live {
	struct dm_control *control;
	const char *name;
	struct dm_info info;
	struct dm_crypt_table table;
	struct luks2_segment segment;
	char description[96];	/* of the volume key in the keyring */
};

/*
 * Opens the mapping and checks that it belongs to the header; a volume key in its table is not
 * compared. header NULL: it is a plain mapping. suspended: the state that it must have. A suspended
 * mapping has no key, so that a new table would encrypt with zeros. MORTISE_E_INACTIVE,
 * MORTISE_E_USAGE. Call volume_live_close() in every case.
 */
MORTISE_MUST_CHECK enum mortise_code volume_live_open(const struct mortise_luks2 *header,
						      const char *name, bool suspended,
						      struct volume_live *live,
						      struct mortise_error *err);
void volume_live_close(struct volume_live *live);

/* The target of the table, with volume_key if the key is not in the table. */
struct dm_crypt_target volume_live_target(const struct volume_live *live,
					  const struct mortise_secret *volume_key);

#endif
