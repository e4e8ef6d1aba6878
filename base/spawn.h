/* SPDX-License-Identifier: MIT */
/* Running another program: mkfs, modprobe. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <mortise.h>

/*
 * Runs argv[0] and waits; said receives the end of its output as one line, which an error
 * repeats. MORTISE_E_UNSUPPORTED when there is no such program, MORTISE_E_SYSTEM when it fails.
 * MORTISE_E_CANCELED: the program was killed, and has ended.
 */
MORTISE_MUST_CHECK enum mortise_code spawn(const struct mortise_events *events, char *const argv[],
					   char *said, size_t room, struct mortise_error *err);

#endif
