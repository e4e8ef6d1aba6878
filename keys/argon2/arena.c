/* SPDX-License-Identifier: MIT */
/* Pages for Argon2: huge ones where they are to be had, populated in parallel where not. */
#include "keys/argon2/arena.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Of x86-64, and of AArch64 with 4 KiB pages; elsewhere only a boundary that does no harm. */
#define HUGE_PAGE     ((size_t)1 << 21)

/* Below it a huge page would cost more memory than it saves time. */
#define HUGE_MIN      ((size_t)1 << 20)

/* No memory is so fast that 2 MiB of it are cleared in less. */
#define PRESENT_US    20u

/* Below it nothing is to be gained by another kind of page. */
#define HUGE_CHEAP_US 1500u

/* What passes after the first lose on 2 MiB of small pages: misses of the TLB. */
#define SMALL_LOSS_US 1000u

/* Of dear pieces, one in so many is of the kind that is not preferred. */
#define OTHER_EVERY   16u

/* Linux 5.14; C libraries are later. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Of this thread alone: a busy machine must not look like dear pages. */
static uint32_t spent_us(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return (uint32_t)spent.tv_sec * 1000000u + (uint32_t)(spent.tv_nsec / 1000);
}

/*
 * A huge page is cleared in 0.1 to 1 ms. Where it takes longer, memory is compacted for it, or
 * the host of a virtual machine has taken it away and gives it back piece by piece: 4.6 ms,
 * where 512 small pages, which were in use a moment ago, took 0.5. Then small pages are taken
 * while they save more than later passes lose on them, and the other kind now and then.
 */
static bool prefers_small(struct keys_arena *arena)
{
	const uint32_t huge = atomic_load(&arena->huge_us), small = atomic_load(&arena->small_us);
	bool prefers;

	if (huge <= HUGE_CHEAP_US)
		return false;
	prefers = small + SMALL_LOSS_US < huge;
	return (atomic_fetch_add(&arena->pieces, 1) + 1) % OTHER_EVERY ? prefers : !prefers;
}

/* What another thread has populated costs nothing and tells nothing. */
static void learn(_Atomic uint32_t *average_us, uint32_t cost_us)
{
	const uint32_t before = atomic_load(average_us);

	if (cost_us >= PRESENT_US)
		atomic_store(average_us, before ? before / 2 + cost_us / 2 : cost_us);
}

/*
 * Where no huge page is to be had, madvise(MADV_HUGEPAGE) succeeds all the same, and each
 * page would cost a fault of its own. Before Linux 5.14 the advice is unknown, and the faults
 * come. An error that means there is no memory is better news than the OOM killer's.
 */
static bool populate(void *context, void *memory, uint64_t size)
{
	struct keys_arena *arena = context;
	const uintptr_t into = (uintptr_t)memory % page_size();
	const bool whole = size == HUGE_PAGE && (uintptr_t)memory % HUGE_PAGE == 0;
	const bool small = whole && prefers_small(arena);
	const uint32_t start = spent_us();

	if (small)
		(void)madvise(memory, HUGE_PAGE, MADV_NOHUGEPAGE);
	if (madvise((uint8_t *)memory - into, (size_t)size + into, MADV_POPULATE_WRITE) &&
	    errno == ENOMEM)
		return false;
	if (whole)
		learn(small ? &arena->small_us : &arena->huge_us, spent_us() - start);
	return true;
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
