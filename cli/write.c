/* SPDX-License-Identifier: MIT */
/* Complete writes. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"
#include "cli/write.h"

bool write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t done = write(fd, at, size);

		if (done < 0 && errno == EINTR && !signals_caught())
			continue;
		if (done <= 0)
			return false;
		at += done;
		size -= (size_t)done;
	}
	return true;
}

bool write_escaped(int fd, enum mortise_escape_form form, const void *bytes, size_t size)
{
	const char *text = bytes;
	char piece[8 * MORTISE_ESCAPE_MAX];
	bool written = true;

	while (written && size > 0)
		written = write_all(fd, piece,
				    mortise_escape(form, &text, &size, piece, sizeof(piece)));
	explicit_bzero(piece, sizeof(piece));
	return written;
}

bool sync_folder_of(const char *file)
{
	char *path = strdup(file);
	int fd = path ? open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	/* Some file systems cannot flush a directory. */
	const bool synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

	if (fd >= 0)
		close(fd);
	free(path);
	return synced;
}
