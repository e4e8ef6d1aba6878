/* SPDX-License-Identifier: MIT */
/* The directory of this boot. */
#include "volume/run_dir.h"

#include <errno.h>
#include <sys/stat.h>

#include "keys/error.h"

enum mortise_code volume_run_dir_make(struct mortise_error *err)
{
	if (mkdir(VOLUME_RUN_DIR, 0700) && errno != EEXIST)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot make " VOLUME_RUN_DIR);
	return MORTISE_OK;
}
