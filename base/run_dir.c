/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot. */
#include "base/run_dir.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/error.h"

enum mortise_code run_dir_make(struct mortise_error *err)
{
	if (mkdir(RUN_DIR, 0700) && errno != EEXIST)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create " RUN_DIR);
	return MORTISE_OK;
}
