/* SPDX-License-Identifier: MIT */
/* Complete reads. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/read.h"
#include "cli/signals.h"

#define FIRST_ROOM ((size_t)16 << 10) /* bytes: the initial buffer */

ssize_t read_some(int fd, void *bytes, size_t size)
{
	ssize_t got;

	do
		got = read(fd, bytes, size);
	while (got < 0 && errno == EINTR && !signals_caught());
	return got;
}

bool read_full(int fd, void *bytes, size_t room, size_t *size)
{
	char *start = bytes;
	ssize_t got = 1;

	*size = 0;
	while (got > 0 && *size < room) {
		got = read_some(fd, start + *size, room - *size);
		if (got < 0)
			return false;
		*size += (size_t)got;
	}
	return true;
}

char *read_all(int fd, size_t max, size_t *size)
{
	size_t room = FIRST_ROOM, have = 0, got = 0;
	char *bytes = NULL, *larger;

	for (;;) {
		/* One byte more than allowed: for the NUL, or to find that the file is larger. */
		if (room > max)
			room = max + 1;
		larger = realloc(bytes, room);
		if (!larger)
			goto failed;
		bytes = larger;
		if (!read_full(fd, bytes + have, room - have, &got))
			goto failed;
		have += got;
		if (have < room)
			break;
		if (room > max) {
			errno = EFBIG;
			goto failed;
		}
		room *= 2;
	}
	bytes[have] = '\0';
	*size = have;
	return bytes;
failed:
	free(bytes);
	return NULL;
}
