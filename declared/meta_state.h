/* SPDX-License-Identifier: MIT */
/* The values in META that mortise uses: the encryption of STATE, and the machine's UUID. */
#ifndef VOLUME_META_STATE_H
#define VOLUME_META_STATE_H

#include "declared/plan.h"

/* The --device options. */
struct volume_devices {
	const struct mortise_volume_device *devices;
	size_t count;
};

struct volume_meta_place {
	char path[VOLUME_PATH_MAX]; /* "": META was not found */
	bool foreign;		    /* found by its label, but not on the disk of STATE */
	bool alone;		    /* foreign, because this machine has no STATE */
};

/*
 * Finds META by --device, else by its label. A META that is found by its label counts only on the
 * disk of STATE: anyone can connect another disk.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_find(const struct volume_devices *devices,
						      struct volume_meta_place *place,
						      struct mortise_error *err);

/*
 * Checks that META, if it exists, can be read. *present: META exists and belongs to this STATE.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_check(const struct mortise_up_options *options,
						       bool *present, struct mortise_error *err);

/* Reads the machine's UUID from this META; "" if it has none. Fails if META cannot be read. */
MORTISE_MUST_CHECK enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
							   const struct volume_meta_place *place,
							   char uuid[static VOLUME_NODE_UUID_ROOM],
							   struct mortise_error *err);

/*
 * Decides which UUIDs run uses: sets sources.node_uuid, meta_uuid and meta_notice. The options and
 * the trust file are in run already.
 */
MORTISE_MUST_CHECK enum mortise_code volume_choose_node_uuid(struct volume_run *run,
							     struct mortise_error *err);

/* Reads the encryption of STATE from META. Without META, STATE is not encrypted. */
MORTISE_MUST_CHECK enum mortise_code
volume_meta_state_read(const struct mortise_up_options *options, struct config **config,
		       struct mortise_error *err);

/* Why META does not describe how STATE is encrypted, and what to do; a static string. */
const char *volume_meta_state_lack(const struct mortise_up_options *options);

/* Updates META to the declared encryption of STATE, if this STATE has a META. */
MORTISE_MUST_CHECK enum mortise_code
volume_meta_state_store(const struct mortise_up_options *options, const struct config *config,
			struct mortise_error *err);

#endif
