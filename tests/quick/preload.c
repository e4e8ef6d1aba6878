/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the programs that mortise is compared with: they neither pause nor measure.
 *
 * sfdisk and sgdisk flush all file systems and pause for udev after each write, up to 1 second.
 * cryptsetup computes PBKDF2 for about a second to choose the iterations of a digest; with this clock
 * its first measurement seems to take so long.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

unsigned int sleep(unsigned int seconds)
{
	(void)seconds;
	return 0;
}

int usleep(useconds_t us)
{
	(void)us;
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time;
	(void)left;
	return 0;
}

void sync(void)
{
}

int getrusage(__rusage_who_t who, struct rusage *usage)
{
	static long seconds;

	(void)who;
	*usage = (struct rusage){ .ru_utime.tv_sec = ++seconds };
	return 0;
}
