/* SPDX-License-Identifier: MIT */
/* Shared by up, plan, down and status: names, the lock, and facts about open volumes. */
#ifndef VOLUME_DECLARED_H
#define VOLUME_DECLARED_H

#include "declared/report.h"

struct mortise_config {
	struct config *volumes;	/* NULL if the file has errors */
	struct config_diagnostics diagnostics;
	struct mortise_remark *remarks;	/* diagnostics in their public form */
	struct mortise_secret *text;	/* the file; NULL: the volumes are from META */
	bool stored;			/* the file is in STATE */
};

/*
 * Reads a configuration from the open file path. own: it is the machine's own, which no user but
 * root may be able to write (MORTISE_E_POLICY); otherwise a remark says so. The rest is that of
 * mortise_config_read.
 */
MORTISE_MUST_CHECK enum mortise_code volume_config_read(int fd, const char *path, bool own,
							struct mortise_config **out,
							struct mortise_error *err);

/* Copies options of any valid struct_size. MORTISE_E_USAGE: its size is invalid, or it is NULL. */
MORTISE_MUST_CHECK enum mortise_code volume_options_copy(struct mortise_up_options *copy,
							 const struct mortise_up_options *options,
							 struct mortise_error *err);

/*
 * Checks the names in options. MORTISE_E_CONFIG: config has no volumes. MORTISE_E_USAGE: a name is
 * not declared.
 */
MORTISE_MUST_CHECK enum mortise_code volume_check_names(const struct mortise_config *config,
							const struct mortise_up_options *options,
							struct mortise_error *err);

bool volume_is_state(const struct config_volume *volume);
/* The declared STATE, or NULL. */
const struct config_volume *volume_find_state(const struct config *config);

/* Adds notes about the keys of plan's volumes, which are some or all of those declared. */
MORTISE_MUST_CHECK enum mortise_code volume_notes_make(const struct volume_run *run,
						       struct mortise_plan *plan,
						       struct mortise_error *err);

/* Do the options name this volume, or no volume at all? */
bool volume_is_wanted(const struct config_volume *volume, const struct mortise_up_options *options);

/*
 * Takes the lock under /run/mortise, which allows one run at a time. Waits for it until canceled.
 * Close *fd to release it.
 */
MORTISE_MUST_CHECK enum mortise_code volume_run_lock(const struct mortise_events *events, int *fd,
						     struct mortise_error *err);

/* Keeps facts about an open volume in /run/mortise, until the volume is closed. */
void volume_opening_store(const struct config_volume *volume, const struct volume_opening *opening);
/* Sets keyslot to -1 if nothing is stored. Free with volume_opening_clear. */
void volume_opening_read(const struct config_volume *volume, struct volume_opening *opening);
void volume_opening_forget(const struct config_volume *volume);

/*
 * Closes the wanted volumes that were opened in this boot and are not in config. Continues after a
 * failure and returns the first one.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_close_remembered(const struct config *config, const struct mortise_up_options *options,
			struct mortise_error *err);

#endif
