/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define ROOM_FIRST (16u << 10) /* bytes: more than most files have */

ssize_t file_read_fd(int fd, void *bytes, size_t room)
{
	size_t used = 0;

	while (used < room) {
		ssize_t got = read(fd, (char *)bytes + used, room - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

ssize_t file_read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), sys;
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return -1;
	got = file_read_fd(fd, text, room - 1);
	sys = errno;
	close(fd);
	errno = sys;
	text[got > 0 ? got : 0] = '\0';
	return got;
}

/* Replaces *secret by a larger one with the same content, since a secret cannot grow. */
static enum mortise_code enlarge_secret(struct mortise_secret **secret, size_t used, size_t room,
					struct mortise_error *err)
{
	struct mortise_secret *larger = NULL;
	enum mortise_code code = mortise_secret_new(room, &larger, err);

	if (code)
		return code;
	if (used)
		memcpy(mortise_secret_writable(larger), mortise_secret_data(*secret), used);
	mortise_secret_free(secret);
	*secret = larger;
	return MORTISE_OK;
}

enum mortise_code file_read_secret(int fd, const char *name, size_t max,
				   struct mortise_secret **out, struct mortise_error *err)
{
	struct mortise_secret *secret = NULL;
	size_t used = 0, room = ROOM_FIRST;
	enum mortise_code code;
	ssize_t got;

	do {
		/* One byte more than allowed, to detect a file that is too large. */
		room = room > max ? max + 1 : room;
		code = enlarge_secret(&secret, used, room, err);
		if (code)
			goto out;
		got = file_read_fd(fd, mortise_secret_writable(secret) + used, room - used);
		if (got < 0) {
			code = error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", name);
			goto out;
		}
		used += (size_t)got;
		room *= 2;
	} while (used == mortise_secret_size(secret) && used <= max);
	if (used > max) {
		code = error_set(err, MORTISE_E_USAGE, 0, "%s is larger than %zu bytes", name, max);
		goto out;
	}
	mortise_secret_truncate(secret, used);
	*out = secret;
	secret = NULL;
out:
	mortise_secret_free(&secret);
	return code;
}

enum mortise_code file_check_writers(int fd, const char *name, struct mortise_error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", name);
	/* A pipe or terminal keeps nothing that other users could change later. */
	if (!S_ISREG(st.st_mode))
		return MORTISE_OK;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return error_set(err, MORTISE_E_POLICY, 0,
				 "%s belongs to user %u, who can change it; run `chown root %s`",
				 name, (unsigned)st.st_uid, name);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "other users can write %s (mode %04o); run `chmod go-w %s`", name,
				 st.st_mode & 07777u, name);
	return MORTISE_OK;
}
