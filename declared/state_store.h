/* SPDX-License-Identifier: MIT */
/* The configuration in STATE: where STATE is mounted, and storing it there. */
#ifndef DECLARED_STATE_STORE_H
#define DECLARED_STATE_STORE_H

#include "declared/declared.h"

/* STATE as far as it is known without a configuration: its name and label. */
extern const struct config_volume volume_state;

/* Where STATE is mounted, "" when it is not. */
void volume_state_dir(const struct mortise_up_options *options, char dir[static VOLUME_PATH_MAX]);

/*
 * Stores the configuration at the root of STATE, which is mounted at state_dir, and then META's
 * description of STATE. Keyslots that only the old META describes still exist: after a power cut
 * in between, META opens STATE as before.
 */
MORTISE_MUST_CHECK enum mortise_code volume_store(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  const char *state_dir, struct mortise_error *err);

#endif
