/* SPDX-License-Identifier: MIT */
/* What this machine can give a KDF now: memory and processors. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <mortise.h>

/* Where the answers are read; a test puts a tree of its own here. */
struct machine_files {
	const char *proc;	/* "/proc" */
	const char *cgroup;	/* "/sys/fs/cgroup" */
};

extern const struct machine_files machine_files;

/*
 * Bytes that can be had now without the OOM killer, UINT64_MAX when nothing is known: the
 * least of MemAvailable + SwapFree, the room in each cgroup (v2 and v1) that this process is
 * in, page cache counted as room, and RLIMIT_AS less the address space in use.
 */
uint64_t machine_available(const struct machine_files *files);

/* Bytes of memory in all, 0 when not known; *swap: is there any swap? */
uint64_t machine_memory(const struct machine_files *files, bool *swap);

/*
 * Processors' worth of time that the cgroups of this process may use, rounded up; UINT_MAX
 * when they set no limit.
 */
unsigned machine_quota(const struct machine_files *files);

/* Online processors that this process may run on, no more than the quota, at least 1. */
unsigned machine_cpus(void);

#endif
