/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot, which does not survive a reboot. */
#ifndef BASE_RUN_DIR_H
#define BASE_RUN_DIR_H

#include <mortise.h>

#define RUN_DIR "/run/mortise"

/* Creates the directory with access only for root, unless it exists. */
MORTISE_MUST_CHECK enum mortise_code run_dir_make(struct mortise_error *err);

/*
 * Replaces the file at path in the directory, which is created if necessary. A reader sees the old
 * text or the new one. MORTISE_E_SYSTEM.
 */
MORTISE_MUST_CHECK enum mortise_code run_dir_store(const char *path, const char *text,
						   struct mortise_error *err);

#endif
