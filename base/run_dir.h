/* SPDX-License-Identifier: MIT */
/* Where what is known of this boot is kept, gone with it. */
#ifndef BASE_RUN_DIR_H
#define BASE_RUN_DIR_H

#include <mortise.h>

#define RUN_DIR "/run/mortise"

/* Makes it, for root alone, when it is not there. */
MORTISE_MUST_CHECK enum mortise_code run_dir_make(struct mortise_error *err);

#endif
