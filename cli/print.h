/* SPDX-License-Identifier: MIT */
/* How the program speaks: errors on standard error, remarks of -v on standard output. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdio.h>

#include "cli/command.h"

enum slot_event { SLOT_CREATED, SLOT_UNLOCKED, SLOT_REMOVED };

/* Prints the library's sentence; returns the exit status that belongs to its code. */
enum status fail(const struct command *c, const struct mortise_error *err);

/* Prints a sentence of the program's own and returns status. */
__attribute__((format(printf, 2, 3))) enum status fail_with(enum status status, const char *format,
							    ...);

/*
 * After trying a passphrase: scripts look for exactly cryptsetup's two sentences, so these
 * two codes are worded here.
 */
enum status fail_passphrase(const struct command *c, const struct mortise_error *err);

/* A line on standard output when -v or --debug was given. */
__attribute__((format(printf, 2, 3))) void verbose(const struct command *c, const char *format,
						   ...);
void say_slot(const struct command *c, int keyslot, enum slot_event event);
void say_status(const struct command *c, enum status status);

/* "ab cd ": a blank after every byte, and the break before every 16th but the first. */
void print_hex(const uint8_t *bytes, size_t size, const char *line_break);

/*
 * Title, the same hex and a newline, of a secret: no stdio buffer sees it. What stdio holds
 * is flushed first.
 */
enum status print_secret(const char *title, const struct mortise_secret *secret);

#endif
