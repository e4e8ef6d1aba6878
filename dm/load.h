/* SPDX-License-Identifier: MIT */
/* Inside dm/: loading the table of a new or existing dm-crypt mapping. */
#ifndef DM_LOAD_H
#define DM_LOAD_H

#include "dm/control.h"

struct dm_load {
	struct dm_control *control;
	const char *name;
	char encoded[DM_NAME_LEN];
	const struct dm_crypt_target *target; /* the first one */
	uint32_t omitted;	/* flags of the targets that the kernel lacks */
	bool readonly;
	struct dm_block block[DM_TARGETS_MAX]; /* the devices of the targets */
	uint32_t version[3];	/* of dm-crypt */
	bool version_known;
};

/*
 * Checks everything that can be checked before the first change: the target, the kernel's version,
 * and that the block device is large enough. exclusive: and that it has no user.
 */
MORTISE_MUST_CHECK enum mortise_code dm_load_check(struct dm_load *load, bool exclusive,
						   struct mortise_error *err);

/* True for errors that passing the key without the keyring may avoid. */
bool dm_may_be_keyring_error(int sys);

/*
 * Loads the table; dm_resume() makes it the live one. It is tried first as requested, because
 * distributions backport options without changing the version number; then without options that are
 * too new; then with the key in the table.
 */
MORTISE_MUST_CHECK enum mortise_code dm_load_table(struct dm_load *load,
						   struct mortise_error *err);

#endif
