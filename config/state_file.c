/* SPDX-License-Identifier: MIT */
/* Storing a file in STATE: beside, flushed, then under its name. */
#include "config/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum mortise_code config_state_dir_open(const char *dir, int *fd, struct mortise_error *err)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0)
		return MORTISE_OK;
	return error_set(err, errno == ENOENT ? MORTISE_E_WAIT : MORTISE_E_DEVICE, errno,
			 "%s: cannot open the directory; STATE must be mounted there", dir);
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

static enum mortise_code failed(const char *dir, const char *name, const char *what,
				struct mortise_error *err)
{
	return error_set(err, MORTISE_E_DEVICE, errno, "%s/%s: cannot %s", dir, name, what);
}

static bool give_name(int dir_fd, const struct config_state_file *file, const char *beside)
{
	if (file->replace)
		return renameat(dir_fd, beside, dir_fd, file->name) == 0;
	/* One that appeared meanwhile is as good: the caller reads what is there. */
	return linkat(dir_fd, beside, dir_fd, file->name, 0) == 0 || errno == EEXIST;
}

enum mortise_code config_state_file_store(int dir_fd, const char *dir,
					  const struct config_state_file *file,
					  struct mortise_error *err)
{
	char beside[NAME_MAX + 1];
	enum mortise_code code = MORTISE_OK;
	int fd;

	/* One that a power cut left behind is taken away. */
	snprintf(beside, sizeof(beside), ".%s.new", file->name);
	unlinkat(dir_fd, beside, 0);
	fd = openat(dir_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Whatever the umask, the owner alone. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || !write_all(fd, file->bytes, file->size) ||
	    fsync(fd) < 0)
		code = failed(dir, file->name, "write a new one", err);
	else if (!give_name(dir_fd, file, beside))
		code = failed(dir, file->name, "give the new one its name", err);
	else if (fsync(dir_fd) < 0)
		code = failed(dir, file->name, "flush the directory", err);
	if (fd >= 0) {
		close(fd);
		unlinkat(dir_fd, beside, 0);
	}
	return code;
}
