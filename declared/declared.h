/* SPDX-License-Identifier: MIT */
/* What up, plan, down and status have in common. */
#ifndef VOLUME_DECLARED_H
#define VOLUME_DECLARED_H

#include "declared/report.h"

struct mortise_config {
	struct config *volumes;	/* NULL when there were errors */
	struct config_diagnostics diagnostics;
	struct mortise_remark *remarks;	/* diagnostics as the public header shows them */
	struct mortise_secret *text;	/* as it was read, text_size bytes; NULL: from META */
	size_t text_size;
};

/* Copies options of any valid struct_size. MORTISE_E_USAGE: an invalid one, or NULL. */
MORTISE_MUST_CHECK enum mortise_code volume_options_copy(struct mortise_up_options *copy,
							 const struct mortise_up_options *options,
							 struct mortise_error *err);

/* MORTISE_E_CONFIG without volumes, MORTISE_E_USAGE for a name that is not declared. */
MORTISE_MUST_CHECK enum mortise_code volume_check_names(const struct mortise_config *config,
							const struct mortise_up_options *options,
							struct mortise_error *err);

bool volume_is_state(const struct config_volume *volume);

/* What is to be known of the volumes of plan, some of those declared, goes into its notes. */
MORTISE_MUST_CHECK enum mortise_code volume_notes_make(const struct config *declared,
						       struct mortise_plan *plan,
						       struct mortise_error *err);

/* Is this volume asked for by name, or are all? */
bool volume_is_wanted(const struct config_volume *volume, const struct mortise_up_options *options);

/*
 * The lock under /run/mortise: one run at a time. Waits for it until events cancel. Close *fd to
 * release it.
 */
MORTISE_MUST_CHECK enum mortise_code volume_run_lock(const struct mortise_events *events, int *fd,
						     struct mortise_error *err);

/* What is known of an open volume only from its opening, kept in /run/mortise. */
void volume_opening_store(const struct config_volume *volume, const struct volume_opening *opening);
/* keyslot -1 when nothing is stored. Ended by volume_opening_clear. */
void volume_opening_read(const struct config_volume *volume, struct volume_opening *opening);
void volume_opening_forget(const struct config_volume *volume);

/*
 * Closes what was opened in this boot, is wanted and not in config. The first failure; what
 * comes after it is closed all the same.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_close_remembered(const struct config *config, const struct mortise_up_options *options,
			struct mortise_error *err);

#endif
