/* SPDX-License-Identifier: MIT */
/* The directory for the state of the current boot. */
#include "base/run_dir.h"

#include <errno.h>
#include <fcntl.h>
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

int run_dir_open_lock(struct mortise_error *why)
{
	int fd = -1, sys;

	why->code = run_dir_make(why);
	if (!why->code)
		fd = open(RUN_DIR "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		return fd;
	sys = why->code ? why->sys_errno : errno;
	fd = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error_set(why, MORTISE_E_SYSTEM, sys,
		  "cannot write to " RUN_DIR ", so that `mortise status` and `mortise down` will "
		  "not know what this run opens, and cryptsetup has no locks on headers; "
		  "mount a tmpfs on /run");
	return fd;
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
