/* SPDX-License-Identifier: MIT */
/* Pauses between attempts to reach a source that a whole fleet may use at the same time. */
#include "keys/sources/sources.h"
#include "base/secret.h"

#define FIRST_MS 500u  /* maximum pause after the first attempt */
#define LIMIT_MS 8000u /* maximum pause after any attempt */
#define LEAST_MS 50u   /* minimum pause, so that no machine retries in a tight loop */

uint32_t keys_backoff_ms(unsigned attempt)
{
	uint32_t ceiling = FIRST_MS, random;

	while (attempt-- > 0 && ceiling < LIMIT_MS)
		ceiling *= 2;
	if (ceiling > LIMIT_MS)
		ceiling = LIMIT_MS;
	/* Without random bytes there will be no key either, so the pause does not matter. */
	if (random_bytes(&random, sizeof(random), NULL))
		return ceiling;
	/*
	 * Uniformly distributed from the minimum on, so that machines that failed at the same time
	 * do not retry at the same time. The bias of the modulo is less than one in a hundred
	 * thousand.
	 */
	return LEAST_MS + random % (ceiling - LEAST_MS + 1);
}
