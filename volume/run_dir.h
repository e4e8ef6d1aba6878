/* SPDX-License-Identifier: MIT */
/* Where what is known of this boot is kept, gone with it. */
#ifndef VOLUME_RUN_DIR_H
#define VOLUME_RUN_DIR_H

#include <mortise.h>

#define VOLUME_RUN_DIR "/run/mortise"

/* Makes it, for root alone, when it is not there. */
MORTISE_MUST_CHECK enum mortise_code volume_run_dir_make(struct mortise_error *err);

#endif
