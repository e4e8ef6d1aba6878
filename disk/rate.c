/* SPDX-License-Identifier: MIT */
#include "disk/rate.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define SAMPLE (8u << 20)
#define BLOCK  (1u << 20)

uint64_t disk_read_rate(const char *device)
{
	const int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t *block = malloc(BLOCK);
	uint64_t began, took, done = 0;
	off_t middle;

	if (fd < 0 || !block)
		goto out;
	middle = lseek(fd, 0, SEEK_END) / 2;
	/* The page cache would be measured instead. */
	(void)posix_fadvise(fd, middle, SAMPLE, POSIX_FADV_DONTNEED);
	began = clock_now_ns();
	while (done < SAMPLE) {
		const ssize_t got = pread(fd, block, BLOCK, middle + (off_t)done);

		if (got <= 0)
			break;
		done += (uint64_t)got;
	}
	took = clock_now_ns() - began;
	done = took ? (uint64_t)((double)done * 1e9 / (double)took) : 0;
out:
	free(block);
	if (fd >= 0)
		close(fd);
	return done;
}
