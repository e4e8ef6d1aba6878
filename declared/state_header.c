/* SPDX-License-Identifier: MIT */
#include "declared/state_header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "config/state_file.h"
#include "disk/mount.h"
#include "luks2/area.h"

#define NAME_ROOM (MORTISE_NAME_MAX + 16)
#define SPARE	  (UINT64_C(1) << 20)	/* bytes: STATE has other files to write */
#define LARGEST	  (UINT64_C(136) << 20) /* bytes: two copies of 4 MiB, and the keyslots area */

/* A planted STATE may hold a link to another file of the machine. */
static enum mortise_code find(int dir, const char *path, const char *name, bool *found,
			      struct mortise_error *err)
{
	struct stat st;

	*found = !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
	if (!*found && errno == ENOENT)
		return MORTISE_OK;
	if (!*found)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot use %s", path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "cannot use %s: it is a link or not a regular file", path);
	/* It is overwritten when it is removed. */
	if ((uint64_t)st.st_size > LARGEST)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "cannot use %s: it is too large for a header", path);
	return MORTISE_OK;
}

/* *fd: the directory, to be closed after MORTISE_OK. */
static enum mortise_code open_dir(const char *root, const char *dir, const char *id,
				  char name[static NAME_ROOM], char path[static VOLUME_PATH_MAX],
				  int *fd, bool *found, struct mortise_error *err)
{
	enum mortise_code code = config_state_dir_open(root, dir, fd, err);
	char real[PATH_MAX];

	*found = false;
	if (code)
		return code;
	/* The path is opened without regard to root, to which links below it are relative. */
	if (disk_mount_path(root, dir, real))
		dir = real;
	snprintf(name, NAME_ROOM, "header-%.128s.luks2", id);
	if (snprintf(path, VOLUME_PATH_MAX, "%s/%s", dir, name) >= (int)VOLUME_PATH_MAX)
		code = error_set(err, MORTISE_E_USAGE, 0, "the path %s/%s is too long", dir, name);
	else
		code = find(*fd, path, name, found, err);
	if (code)
		close(*fd);
	return code;
}

enum mortise_code state_header_find(const char *root, const char *dir, const char *id,
				    char path[static VOLUME_PATH_MAX], bool *found,
				    struct mortise_error *err)
{
	char name[NAME_ROOM];
	int fd;
	enum mortise_code code = open_dir(root, dir, id, name, path, &fd, found, err);

	if (!code)
		close(fd);
	return code;
}

static enum mortise_code wipe(const char *path, struct mortise_error *err)
{
	struct luks2_device *file;
	enum mortise_code code = luks2_device_open(path, false, &file, err);

	if (code)
		return code;
	code = luks2_device_writable(file, err);
	if (!code && file->size)
		code = luks2_area_wipe(file, 0, file->size, NULL, err);
	luks2_device_close(file);
	return code;
}

enum mortise_code state_header_remove(const char *root, const char *dir, const char *id,
				      struct mortise_error *err)
{
	char name[NAME_ROOM], path[VOLUME_PATH_MAX];
	bool found;
	int fd;
	enum mortise_code code = open_dir(root, dir, id, name, path, &fd, &found, err);

	if (code)
		return code;
	/* A backup is written with mode 0400. */
	if (found && fchmodat(fd, name, 0600, 0))
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot write %s", path);
	if (!code && found)
		code = wipe(path, err);
	if (!code && found && (unlinkat(fd, name, 0) || fsync(fd)))
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot remove %s", path);
	close(fd);
	return code;
}

enum mortise_code state_header_store(const char *root, const char *dir, const char *id,
				     const struct mortise_luks2 *header,
				     char path[static VOLUME_PATH_MAX], struct mortise_error *err)
{
	char name[NAME_ROOM], new_name[NAME_ROOM + 8], new_path[VOLUME_PATH_MAX + 8];
	bool found;
	int fd;
	enum mortise_code code = open_dir(root, dir, id, name, path, &fd, &found, err);

	if (code)
		return code;
	snprintf(new_name, sizeof(new_name), ".%s.new", name);
	snprintf(new_path, sizeof(new_path), "%.*s%s", (int)(strlen(path) - strlen(name)), path,
		 new_name);
	/* A power cut may have left one behind. */
	if (found || (unlinkat(fd, new_name, 0) && errno != ENOENT))
		code = error_set(err, MORTISE_E_EXISTS, 0, "cannot create %s: it exists", path);
	if (!code)
		code = mortise_header_backup(header, new_path, err);
	if (!code &&
	    (fchmodat(fd, new_name, 0600, 0) || renameat(fd, new_name, fd, name) || fsync(fd)))
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot create %s", path);
	close(fd);
	return code;
}

enum mortise_code state_header_check_room(const char *root, const char *dir, uint64_t size,
					  struct mortise_error *err)
{
	struct statvfs st = { 0 };
	int fd;
	enum mortise_code code = config_state_dir_open(root, dir, &fd, err);

	if (code)
		return code;
	if (fstatvfs(fd, &st))
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot examine %s", dir);
	else if ((uint64_t)st.f_bavail * st.f_frsize < size + SPARE)
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "STATE has no room for the header, which needs %" PRIu64 " MiB",
				 (size + SPARE) >> 20);
	close(fd);
	return code;
}
