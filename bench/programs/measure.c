/* SPDX-License-Identifier: MIT */
/*
 * measure MIB PROGRAM [ARGUMENT]...: runs a program once and prints, on standard error, the
 * nanoseconds from fork to its end and its peak memory in KiB. MIB of memory are touched and
 * freed before: a guest that gave memory back to its host would get it again while the clock
 * runs. A program of its own, since a child begins with the peak of who forked it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void touch(size_t mib)
{
	size_t size = mib << 20;
	char *memory;

	if (!size)
		return;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return;
	(void)madvise(memory, size, MADV_HUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	munmap(memory, size);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	uint64_t start;
	pid_t child;
	int status;

	if (argc < 3)
		return 125;
	touch((size_t)strtoul(argv[1], NULL, 10));
	start = now();
	/* Not vfork(2): the child would share this process's peak. */
	child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child) {
		fprintf(stderr, "measure: %s\n", strerror(errno));
		return 125;
	}
	fprintf(stderr, "measured %llu %ld\n", (unsigned long long)(now() - start),
		usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
