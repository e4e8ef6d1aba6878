/* SPDX-License-Identifier: MIT */
/* Memory pages for Argon2: huge pages if available, else small pages populated in parallel. */
#include "keys/argon2/arena.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

/* The huge page size of x86-64, and of AArch64 with 4 KiB pages; elsewhere a harmless alignment. */
#define HUGE_PAGE     ((size_t)1 << 21)

/* Arenas up to this size use small pages: a huge page would waste more memory than it is worth. */
#define HUGE_MIN      ((size_t)1 << 20)

/* No machine clears 2 MiB in less time: a shorter time means that the pages were present. */
#define PRESENT_US    20u

/* While a huge page takes at most this long, small pages gain nothing. */
#define HUGE_CHEAP_US 1500u

/* The time that the passes after the first lose on 2 MiB of small pages, to TLB misses. */
#define SMALL_LOSS_US 1000u

/* While huge pages are slow, one piece in this many uses the page size that is not preferred. */
#define OTHER_EVERY   16u

/* Added in Linux 5.14; the headers of older C libraries lack it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* CPU time of this thread, so that load on the machine is not mistaken for slow pages. */
static uint32_t read_thread_us(void)
{
	return (uint32_t)(clock_thread_ns() / 1000);
}

/*
 * The kernel clears a huge page in 0.1 to 1 ms. It takes longer if the kernel compacts memory
 * first, or if the host of a virtual machine has reclaimed the page and returns it piece by
 * piece: 4.6 ms in one measurement, where 512 small pages that had just been in use took 0.5 ms.
 * In this case, use small pages while they save more time than later passes lose on them, and
 * try the other page size now and then.
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

/* Ignores pieces that another thread has already populated: they cost no time. */
static void update_average(_Atomic uint32_t *average_us, uint32_t cost_us)
{
	const uint32_t before = atomic_load(average_us);

	if (cost_us >= PRESENT_US)
		atomic_store(average_us, before ? before / 2 + cost_us / 2 : cost_us);
}

/*
 * madvise(MADV_HUGEPAGE) succeeds even if no huge page is available; each small page then costs
 * a page fault of its own, unless it is populated here. Kernels before Linux 5.14 do not know
 * MADV_POPULATE_WRITE, and the faults occur. Reporting ENOMEM is better than letting the OOM
 * killer end the process.
 */
static bool populate_piece(void *context, void *memory, uint64_t size)
{
	struct keys_arena *arena = context;
	const uintptr_t into = (uintptr_t)memory % page_size();
	const bool whole = size == HUGE_PAGE && (uintptr_t)memory % HUGE_PAGE == 0;
	const bool small = whole && prefers_small(arena);
	const uint32_t start = read_thread_us();

	if (small)
		(void)madvise(memory, HUGE_PAGE, MADV_NOHUGEPAGE);
	if (madvise((uint8_t *)memory - into, (size_t)size + into, MADV_POPULATE_WRITE) &&
	    errno == ENOMEM)
		return false;
	if (whole)
		update_average(small ? &arena->small_us : &arena->huge_us,
			       read_thread_us() - start);
	return true;
}

/* Aligns the mapping to a huge page: maps more than size and unmaps the excess on both sides. */
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
		arena->populate = populate_piece;
	}
	if (memory == MAP_FAILED)
		return false;
	/* Old kernels do not know all of this advice; the arena works without it. */
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
