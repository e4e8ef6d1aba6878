/* SPDX-License-Identifier: MIT */
/* Consuming the bytes of an input one after another. Behind its end they are zero. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const uint8_t *at;
	size_t left;
} input;

static inline void input_begin(const uint8_t *data, size_t size)
{
	input.at = data;
	input.left = size;
}

static inline unsigned next(void)
{
	if (!input.left)
		return 0;
	input.left--;
	return *input.at++;
}

/* Copies the next bytes, at most size. Returns their number. */
static inline size_t next_bytes(void *bytes, size_t size)
{
	if (size > input.left)
		size = input.left;
	if (size)
		memcpy(bytes, input.at, size);
	input.at += size;
	input.left -= size;
	return size;
}

static inline void check(bool good)
{
	if (!good)
		abort();
}

#endif
