/* SPDX-License-Identifier: MIT */
/* The members of a trust file and of mortise.trust=, which have the same values. */
#ifndef CONFIG_TRUST_MEMBER_H
#define CONFIG_TRUST_MEMBER_H

#include "config/trust.h"
#include "config/volume.h"

/* A value as written. name is the member, for errors. */
struct config_trust_value {
	const char *name;
	const char *text;
	struct config_position position;
};

/* Sets a member, or adds to a list. */
void config_trust_set(struct config_log *log, enum config_trust_member member,
		      const struct config_trust_value *value, struct config_trust *trust);

/*
 * Ends parsing: checks made as a whole, and clears the diagnostics. *out is made, or NULL after an
 * error in the log; then made is freed. made may be NULL: out of memory.
 */
MORTISE_MUST_CHECK enum mortise_code config_trust_finish(struct config_log *log, const char *source,
							 struct config_trust *made,
							 struct config_trust **out,
							 struct mortise_error *err);

#endif
