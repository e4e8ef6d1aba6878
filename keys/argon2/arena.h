/* SPDX-License-Identifier: MIT */
/* The memory that Argon2 works on: its pages, and keeping it out of core dumps. */
#ifndef KEYS_ARGON2_ARENA_H
#define KEYS_ARGON2_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_arena {
	void *memory;		/* page-aligned; a large arena on a huge page's boundary */
	size_t size;		/* what was mapped, whole pages */
	/*
	 * For fresh memory just before it is written, by any thread; arena is this one. False
	 * when there is none. NULL: all of it is present.
	 */
	bool (*populate)(void *arena, void *memory, uint64_t size);
	/* Microseconds that a piece took lately as a huge page and as small ones; 0: not known. */
	_Atomic uint32_t huge_us, small_us;
	_Atomic unsigned pieces;	/* since huge pages were found to be dear */
};

/* False with errno set. */
bool keys_arena_map(struct keys_arena *arena, uint64_t size);

/* Whoever wrote secrets to it has wiped it. A zeroed arena is allowed. */
void keys_arena_unmap(struct keys_arena *arena);

#endif
