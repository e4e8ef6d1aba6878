/* SPDX-License-Identifier: MIT */
/* Threads that fill Argon2's lanes; one set of threads runs all passes. */
#ifndef KEYS_ARGON2_CREW_H
#define KEYS_ARGON2_CREW_H

#include "keys/argon2/core.h"

/* More threads would only wait for memory. */
#define KEYS_ARGON2_CREW_MAX	64u

/*
 * Computes the tag from the input with at most the given number of threads, including the calling
 * one; with fewer if the system cannot create them. Wipes the job's memory at the end. Returns
 * false if populate() failed or canceled() returned true: then the tag is not written, the part of
 * the memory that was written is wiped, and the rest is not touched.
 */
MORTISE_MUST_CHECK bool keys_argon2_crew_run(const struct keys_argon2_job *job,
					     const struct keys_argon2_input *input,
					     unsigned threads, uint8_t *tag, size_t tag_size);

#endif
