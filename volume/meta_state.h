/* SPDX-License-Identifier: MIT */
/* What bringing volumes up takes from META and keeps there: STATE's encryption, the node UUID. */
#ifndef VOLUME_META_STATE_H
#define VOLUME_META_STATE_H

#include "volume/plan.h"

/* MORTISE_OK when there is a META partition that can be read, or none at all. */
MORTISE_MUST_CHECK enum mortise_code volume_meta_check(const struct mortise_up_options *options,
						       bool *present, struct mortise_error *err);

/*
 * The UUID that META gives the machine, "" when it gives none. An error when there is a META that
 * cannot be read: keys of another UUID would open nothing later.
 */
MORTISE_MUST_CHECK enum mortise_code volume_meta_node_uuid(const struct mortise_up_options *options,
							   char uuid[static VOLUME_NODE_UUID_ROOM],
							   struct mortise_error *err);

/* STATE as META says it is encrypted; not encrypted without META. */
MORTISE_MUST_CHECK enum mortise_code volume_meta_state_read(const struct mortise_up_options *options,
							    struct meta_config **config,
							    struct mortise_error *err);

/* Keeps META in step with what is declared of STATE; nothing to do without META. */
MORTISE_MUST_CHECK enum mortise_code volume_meta_state_store(const struct mortise_up_options *options,
							     const struct meta_config *config,
							     struct mortise_error *err);

#endif
