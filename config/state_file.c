/* SPDX-License-Identifier: MIT */
#include "config/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rooted.h"

enum mortise_code config_state_dir_open(const char *root, const char *dir, int *fd,
					struct mortise_error *err)
{
	struct mortise_error why;

	if (!rooted_open(root, dir, O_RDONLY, fd, &why))
		return MORTISE_OK;
	return error_set(err, why.sys_errno == ENOENT ? MORTISE_E_WAIT : MORTISE_E_DEVICE, 0,
			 "cannot use %.200s, where STATE must be mounted: %s", dir, why.text);
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, bytes, size);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			bytes += put;
			size -= (size_t)put;
		}
	}
	return true;
}

static enum mortise_code set_error(const char *action, const char *dir, const char *name,
				   struct mortise_error *err)
{
	return error_set(err, MORTISE_E_DEVICE, errno, "cannot %s %s/%s", action, dir, name);
}

static bool rename_file(int dir_fd, const struct config_state_file *file, const char *temporary)
{
	if (file->replace)
		return renameat(dir_fd, temporary, dir_fd, file->name) == 0;
	/* EEXIST: another process has created the file, which the caller reads. */
	return linkat(dir_fd, temporary, dir_fd, file->name, 0) == 0 || errno == EEXIST;
}

enum mortise_code config_state_file_store(int dir_fd, const char *dir,
					  const struct config_state_file *file,
					  struct mortise_error *err)
{
	char temporary[NAME_MAX + 1];
	enum mortise_code code = MORTISE_OK;
	int fd;

	/* A power cut may have left one behind. */
	snprintf(temporary, sizeof(temporary), ".%s.new", file->name);
	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Independently of the umask. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || !write_all(fd, file->bytes, file->size) ||
	    fsync(fd) < 0)
		code = set_error("write", dir, file->name, err);
	else if (!rename_file(dir_fd, file, temporary))
		code = set_error("rename the new", dir, file->name, err);
	else if (fsync(dir_fd) < 0)
		code = set_error("flush the directory of", dir, file->name, err);
	if (fd >= 0) {
		close(fd);
		unlinkat(dir_fd, temporary, 0);
	}
	return code;
}
