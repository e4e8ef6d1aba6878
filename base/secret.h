/* SPDX-License-Identifier: MIT */
/* Functions for secrets in addition to the public ones in mortise.h. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <mortise.h>

/* Overwrites bytes; the compiler cannot remove this. */
void secret_wipe(void *bytes, size_t size);

/* Compares the content in a time that depends only on size. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Fills bytes from getrandom(2), which waits until the kernel has entropy. */
MORTISE_MUST_CHECK enum mortise_code random_bytes(void *bytes, size_t size,
						  struct mortise_error *err);

/* Creates a secret of size random bytes. *out is NULL on failure. */
MORTISE_MUST_CHECK enum mortise_code secret_random(size_t size, struct mortise_secret **out,
						   struct mortise_error *err);

#endif
