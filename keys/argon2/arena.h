/* SPDX-License-Identifier: MIT */
/* The memory that Argon2 fills: allocation of its pages, and exclusion from core dumps. */
#ifndef KEYS_ARGON2_ARENA_H
#define KEYS_ARGON2_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_arena {
	void *memory;		/* page-aligned; in a large arena, aligned to a huge page */
	size_t size;		/* bytes mapped, a multiple of the page size */
	/*
	 * Populates memory just before it is first written; any thread may call it. arena is the
	 * address of this struct. Returns false if the system is out of memory. NULL: all memory
	 * is populated already.
	 */
	bool (*populate)(void *arena, void *memory, uint64_t size);
	/*
	 * The recent average time in microseconds to populate a piece as a huge page and as small
	 * pages; 0: not measured yet.
	 */
	_Atomic uint32_t huge_us, small_us;
	_Atomic unsigned pieces;	/* pieces populated while huge pages were slow */
};

/* Returns false with errno set if it fails. */
bool keys_arena_map(struct keys_arena *arena, uint64_t size);

/* The caller has wiped the secrets in the arena. A zeroed arena is allowed. */
void keys_arena_unmap(struct keys_arena *arena);

#endif
