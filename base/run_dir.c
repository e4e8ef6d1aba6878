/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot. */
#include "base/run_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"

enum mortise_code run_dir_make(struct mortise_error *err)
{
	if (mkdir(RUN_DIR, 0700) && errno != EEXIST)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create " RUN_DIR);
	return MORTISE_OK;
}

enum mortise_code run_dir_store(const char *path, const char *text, struct mortise_error *err)
{
	char temporary[PATH_MAX];
	enum mortise_code code = run_dir_make(err);
	bool written;
	FILE *file;

	if (code)
		return code;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "we");
	if (!file)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot write %s", path);
	written = fputs(text, file) >= 0;
	written &= !fclose(file);
	if (!written || rename(temporary, path))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot write %s", path);
	return MORTISE_OK;
}
