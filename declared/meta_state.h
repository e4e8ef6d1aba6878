/* SPDX-License-Identifier: MIT */
/* What bringing volumes up takes from META and keeps there: STATE's encryption, the node UUID. */
#ifndef VOLUME_META_STATE_H
#define VOLUME_META_STATE_H

#include "declared/plan.h"

/* What --device says. */
struct volume_devices {
	const struct mortise_volume_device *devices;
	size_t count;
};

struct volume_meta_place {
	char path[VOLUME_PATH_MAX]; /* "": there is none */
	bool foreign;		    /* it knows another STATE than the one that devices tell of */
};

/*
 * META by its device, else by its label. The one that has the label belongs to the STATE of this
 * machine: to a STATE that is given by device only when it is on the same disk.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_find(const struct volume_devices *devices,
						      struct volume_meta_place *place,
						      struct mortise_error *err);

/*
 * MORTISE_OK when there is a META partition that can be read, or none at all. present: there is
 * one, and it knows STATE.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_check(const struct mortise_up_options *options,
						       bool *present, struct mortise_error *err);

/*
 * The UUID that META gives the machine, "" when it gives none. An error when there is a META that
 * cannot be read: keys of another UUID would open nothing later.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
							   char uuid[static VOLUME_NODE_UUID_ROOM],
							   struct mortise_error *err);

/* STATE as its META says it is encrypted; not encrypted without one. */
MORTISE_MUST_CHECK enum mortise_code
volume_meta_state_read(const struct mortise_up_options *options, struct config **config,
		       struct mortise_error *err);

/* Why META does not say how STATE is encrypted, and what to do; static. */
const char *volume_meta_state_lack(const struct mortise_up_options *options);

/* Keeps META in step with what is declared of STATE; nothing to do without one of it. */
MORTISE_MUST_CHECK enum mortise_code
volume_meta_state_store(const struct mortise_up_options *options, const struct config *config,
			struct mortise_error *err);

#endif
