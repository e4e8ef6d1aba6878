/* SPDX-License-Identifier: MIT */
/* Threads that fill Argon2's lanes, all passes with one set of them. */
#ifndef KEYS_ARGON2_CREW_H
#define KEYS_ARGON2_CREW_H

#include "keys/argon2/core.h"

/* More would only wait for memory. */
#define KEYS_ARGON2_CREW_MAX	64u

/*
 * From the input to the tag, with at most threads of them, this one counted; fewer when the
 * system gives no more. The job's memory is wiped at the end. False when populate said that
 * there is no memory: then neither is the tag set nor the rest of the memory touched, and the
 * caller gives it back to the system.
 */
MORTISE_MUST_CHECK bool keys_argon2_crew_run(const struct keys_argon2_job *job,
					     const struct keys_argon2_input *input,
					     unsigned threads, uint8_t *tag, size_t tag_size);

#endif
