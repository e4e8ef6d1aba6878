/* SPDX-License-Identifier: MIT */
/* One run of mortise_up, with the options that its public form does not have. */
#ifndef VOLUME_UP_H
#define VOLUME_UP_H

#include "declared/declared.h"

struct volume_up {
	const struct mortise_config *config;
	const struct mortise_up_options *options;
	bool store;			/* store the configuration in STATE once that is ready */
	bool keep_keys;			/* headers and volume keys stay in the plan */
};

/* MORTISE_E_USAGE: plan was made from another configuration, or executed before. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_use(const struct mortise_plan *plan,
							   const struct mortise_config *config,
							   struct mortise_error *err);

/* mortise_up. */
MORTISE_MUST_CHECK enum mortise_code volume_up(const struct volume_up *up,
					       struct mortise_plan *plan,
					       struct mortise_report **report,
					       struct mortise_error *err);

#endif
