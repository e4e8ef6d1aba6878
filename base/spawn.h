/* SPDX-License-Identifier: MIT */
/* Running other programs: mkfs, modprobe. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <mortise.h>

/*
 * Runs argv[0] and waits for it. said receives the end of its output as one line, which the error
 * includes. MORTISE_E_UNSUPPORTED: the program does not exist. MORTISE_E_SYSTEM: it failed.
 * MORTISE_E_CANCELED: the program was killed, and has ended.
 */
MORTISE_MUST_CHECK enum mortise_code spawn(const struct mortise_events *events, char *const argv[],
					   char *said, size_t room, struct mortise_error *err);

#endif
