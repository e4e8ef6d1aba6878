/* SPDX-License-Identifier: MIT */
/* mortise_up with internal options. */
#ifndef VOLUME_UP_H
#define VOLUME_UP_H

#include "declared/declared.h"

struct volume_up {
	const struct mortise_config *config;
	const struct mortise_up_options *options;
	bool store;			/* store the configuration in STATE once STATE is ready */
	bool keep_keys;			/* keep headers and volume keys in the plan */
	bool active_only;		/* drop volumes that are closed from the plan */
};

/* MORTISE_E_USAGE: plan was made from another configuration, or executed before. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_use(const struct mortise_plan *plan,
							   const struct mortise_config *config,
							   struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code volume_up(const struct volume_up *up,
					       struct mortise_plan *plan,
					       struct mortise_report **report,
					       struct mortise_error *err);

/* MORTISE_E_USAGE: the options name a PCR that cannot be extended. */
MORTISE_MUST_CHECK enum mortise_code
volume_check_extension(const struct mortise_up_options *options, struct mortise_error *err);

/* Extends the PCR that the options name, unless this boot has extended it. */
MORTISE_MUST_CHECK enum mortise_code volume_extend_pcr(const struct mortise_up_options *options,
						       struct mortise_error *err);

#endif
