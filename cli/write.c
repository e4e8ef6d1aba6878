/* SPDX-License-Identifier: MIT */
/* Complete writes. */
#include <errno.h>
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
