/* SPDX-License-Identifier: MIT */
/* The resources of this machine that a KDF can use now: memory and CPUs. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <mortise.h>

/* Where the files are; tests use directories of their own. */
struct machine_files {
	const char *proc;	/* "/proc" */
	const char *cgroup;	/* "/sys/fs/cgroup" */
};

extern const struct machine_files machine_files;

/*
 * Returns how many bytes this process can allocate now without the OOM killer, UINT64_MAX if
 * unknown: the minimum of MemAvailable + SwapFree, the room in each cgroup (v2 and v1) of this
 * process, counting page cache as room, and RLIMIT_AS minus the used address space.
 */
uint64_t machine_available(const struct machine_files *files);

/* Returns the total memory in bytes, 0 if unknown. *swap: does the machine have swap? */
uint64_t machine_memory(const struct machine_files *files, bool *swap);

/*
 * Returns the CPU quota of the cgroups of this process in CPUs, rounded up; UINT_MAX if they set no
 * limit.
 */
unsigned machine_quota(const struct machine_files *files);

/* Returns the number of online CPUs that this process may use, at most the quota, at least 1. */
unsigned machine_cpus(void);

#endif
