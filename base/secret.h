/* SPDX-License-Identifier: MIT */
/* What the folders need of secrets beyond the public functions of mortise.h. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <mortise.h>

/* Overwrites bytes in a way that the compiler does not remove. */
void secret_wipe(void *bytes, size_t size);

/* Equal content, in time that depends on size only. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Fills with random bytes from getrandom(2), waiting until the kernel has entropy. */
MORTISE_MUST_CHECK enum mortise_code random_bytes(void *bytes, size_t size,
						  struct mortise_error *err);

/* A new secret of size random bytes; *out stays NULL on failure. */
MORTISE_MUST_CHECK enum mortise_code secret_random(size_t size, struct mortise_secret **out,
						   struct mortise_error *err);

#endif
