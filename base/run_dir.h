/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot, which does not survive a reboot. */
#ifndef BASE_RUN_DIR_H
#define BASE_RUN_DIR_H

#include <mortise.h>

#define RUN_DIR "/run/mortise"

/* Creates the directory with access only for root, unless it exists. */
MORTISE_MUST_CHECK enum mortise_code run_dir_make(struct mortise_error *err);

#endif
