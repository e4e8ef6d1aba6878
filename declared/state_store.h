/* SPDX-License-Identifier: MIT */
/* Storing the configuration in STATE. */
#ifndef DECLARED_STATE_STORE_H
#define DECLARED_STATE_STORE_H

#include "declared/declared.h"

/* STATE without a configuration: only its name and label are known. */
extern const struct config_volume volume_state;

/* The directory where STATE is mounted, or "". */
void volume_state_dir(const struct mortise_up_options *options, char dir[static VOLUME_PATH_MAX]);

/*
 * Is all of this STATE, mounted at dir, encrypted? Its mapping and header say so; what its own
 * configuration says proves nothing.
 */
bool volume_state_is_encrypted(const struct mortise_up_options *options, const char *dir);

/*
 * Stores the configuration in STATE, which is mounted at state_dir, and then the description of
 * STATE in META. Call it while the keyslots that only the old META describes still exist: after a
 * power cut between the two, the keys in META open STATE as before.
 */
MORTISE_MUST_CHECK enum mortise_code volume_store(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  const char *state_dir, struct mortise_error *err);

#endif
