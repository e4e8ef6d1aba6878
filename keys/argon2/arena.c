/* SPDX-License-Identifier: MIT */
/* Pages for Argon2: huge ones where they are to be had, populated in parallel where not. */
#include "keys/argon2/arena.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of x86-64, and of AArch64 with 4 KiB pages; elsewhere only a boundary that does no harm. */
#define HUGE_PAGE ((size_t)1 << 21)

/* Below it a huge page would cost more memory than it saves time. */
#define HUGE_MIN  ((size_t)1 << 20)

/* Linux 5.14; C libraries are later. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Where no huge page is to be had, madvise(MADV_HUGEPAGE) succeeds all the same, and each
 * page would cost a fault of its own. Before Linux 5.14 the advice is unknown, and the faults
 * come. An error that means there is no memory is better news than the OOM killer's.
 */
static bool populate(void *memory, uint64_t size)
{
	const uintptr_t into = (uintptr_t)memory % page_size();

	return !madvise((uint8_t *)memory - into, (size_t)size + into, MADV_POPULATE_WRITE) ||
	       errno != ENOMEM;
}

/* With more room around it, which is given back, so that it starts on a huge page. */
static void *map_aligned(size_t size)
{
	uint8_t *room = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (room == MAP_FAILED)
		return MAP_FAILED;
	before = (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
	if (before)
		munmap(room, before);
	if (before < HUGE_PAGE)
		munmap(room + before + size, HUGE_PAGE - before);
	return room + before;
}

bool keys_arena_map(struct keys_arena *arena, uint64_t size)
{
	const size_t page = page_size();
	void *memory;

	*arena = (struct keys_arena){ 0 };
	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return false;
	}
	arena->size = ((size_t)size + page - 1) / page * page;
	if (arena->size <= HUGE_MIN) {
		memory = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	} else {
		memory = map_aligned(arena->size);
		arena->populate = populate;
	}
	if (memory == MAP_FAILED)
		return false;
	/* Old kernels lack some of these, and nothing depends on them. */
	if (arena->populate)
		(void)madvise(memory, arena->size, MADV_HUGEPAGE);
	(void)madvise(memory, arena->size, MADV_DONTDUMP);
	(void)madvise(memory, arena->size, MADV_DONTFORK);
	arena->memory = memory;
	return true;
}

void keys_arena_unmap(struct keys_arena *arena)
{
	if (arena->memory)
		munmap(arena->memory, arena->size);
	arena->memory = NULL;
}
