/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot, which does not survive a reboot. */
#ifndef BASE_RUN_DIR_H
#define BASE_RUN_DIR_H

#include <mortise.h>

#define RUN_DIR "/run/mortise"

/* Creates the directory with access only for root, unless it exists. */
MORTISE_MUST_CHECK enum mortise_code run_dir_make(struct mortise_error *err);

/*
 * Opens a file to lock with flock(2), so that one run at a time changes volumes. Where the directory
 * cannot be written, this is a directory above it, which can be locked as well; why then says what is
 * lost, and otherwise its code is MORTISE_OK. -1: nothing can be opened, and why says why.
 */
int run_dir_open_lock(struct mortise_error *why);

/*
 * Replaces the file at path in the directory, which is created if necessary. A reader sees the old
 * text or the new one. MORTISE_E_SYSTEM.
 */
MORTISE_MUST_CHECK enum mortise_code run_dir_store(const char *path, const char *text,
						   struct mortise_error *err);

#endif
