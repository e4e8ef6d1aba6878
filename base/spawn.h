/* SPDX-License-Identifier: MIT */
/* Running other programs: mkfs, fsck, modprobe. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <mortise.h>

/* Can spawn() find this program? Directories of PATH, then /usr/sbin and /sbin. */
bool spawn_finds(const char *program);

/*
 * Runs argv[0] and waits for it. said receives the start of its output, whose first line the error
 * includes. MORTISE_E_UNSUPPORTED: the program does not exist. MORTISE_E_SYSTEM: it failed.
 * MORTISE_E_CANCELED: the program was ended by SIGTERM, or by SIGKILL 10 seconds later.
 */
MORTISE_MUST_CHECK enum mortise_code spawn(const struct mortise_events *events, char *const argv[],
					   char *said, size_t room, struct mortise_error *err);

/* The same, but any exit status is a success: *status receives it. */
MORTISE_MUST_CHECK enum mortise_code spawn_status(const struct mortise_events *events,
						  char *const argv[], char *said, size_t room,
						  int *status, struct mortise_error *err);

#endif
