/* SPDX-License-Identifier: MIT */
/*
 * measure MIB PROGRAM [ARGUMENT]...: runs a program once, and prints on standard error the time
 * from fork(2) to its end in nanoseconds, and its peak memory in KiB. Touches and frees MIB of
 * memory before: otherwise, memory that the host of a virtual machine has reclaimed would be
 * returned during the measurement. This is a separate program because a child starts with its
 * parent's peak.
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

static void touch_memory(size_t mib)
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

static uint64_t now_ns(void)
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
	touch_memory((size_t)strtoul(argv[1], NULL, 10));
	start = now_ns();
	/* With vfork(2), the child would share this process's peak. */
	child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child) {
		fprintf(stderr, "measure: %s\n", strerror(errno));
		return 125;
	}
	fprintf(stderr, "measured %llu %ld\n", (unsigned long long)(now_ns() - start),
		usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
