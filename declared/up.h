/* SPDX-License-Identifier: MIT */
/* One run of up, for those that need more than its public form says. */
#ifndef VOLUME_UP_H
#define VOLUME_UP_H

#include "declared/declared.h"

struct volume_up {
	const struct mortise_config *config;
	const struct mortise_up_options *options;
	const struct mortise_watch *watch;
	bool store;			/* the configuration goes into STATE once that is ready */
	struct volume_known *learn;	/* receives STATE's key, or NULL */
};

/* mortise_up. */
MORTISE_MUST_CHECK enum mortise_code
volume_up(const struct volume_up *up, struct mortise_report **report, struct mortise_error *err);

/*
 * Stores the configuration at the root of STATE, which is mounted at state_dir, and then what
 * META says of STATE. Keyslots that only the old META knows are still there: after a cut in
 * between it opens STATE as before.
 */
MORTISE_MUST_CHECK enum mortise_code volume_store(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  const char *state_dir, struct mortise_error *err);

/* Where STATE is mounted in this run, "" when it is not. */
void volume_state_dir(const struct mortise_up_options *options, char dir[static VOLUME_PATH_MAX]);

#endif
