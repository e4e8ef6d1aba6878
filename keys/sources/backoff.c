/* SPDX-License-Identifier: MIT */
/* Pauses between tries at a source that a whole fleet may ask at once. */
#include "keys/sources/sources.h"
#include "base/secret.h"

#define FIRST_MS 500u  /* the longest pause after the first try */
#define LIMIT_MS 8000u /* the longest of all */
#define LEAST_MS 50u   /* so that no machine asks in a tight loop */

uint32_t keys_backoff_ms(unsigned attempt)
{
	uint32_t ceiling = FIRST_MS, random;

	while (attempt-- > 0 && ceiling < LIMIT_MS)
		ceiling *= 2;
	if (ceiling > LIMIT_MS)
		ceiling = LIMIT_MS;
	/* Without random bytes no key can be had either: the pause does not matter then. */
	if (random_bytes(&random, sizeof(random), NULL))
		return ceiling;
	/*
	 * Evenly from the least on: machines that failed together must not meet again. What the
	 * remainder favours is less than one in a hundred thousand.
	 */
	return LEAST_MS + random % (ceiling - LEAST_MS + 1);
}
