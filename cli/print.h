/* SPDX-License-Identifier: MIT */
/* Output: errors go to standard error, messages of -v to standard output. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdio.h>

#include "cli/command.h"
#include "cli/output.h"

enum slot_event { SLOT_CREATED, SLOT_UNLOCKED, SLOT_REMOVED };

/* Prints the library's error and returns the exit status for its code. */
enum status fail(const struct command *c, const struct mortise_error *err);

/* Prints a message and returns status. */
__attribute__((format(printf, 2, 3))) enum status fail_with(enum status status, const char *format,
							    ...);

/*
 * The same after a passphrase was tried. Scripts parse cryptsetup's two messages for MORTISE_E_KEY
 * and MORTISE_E_NO_KEYSLOT, so these are printed word for word.
 */
/* Prints a line that begins with "# ", with --debug or --debug-json. Never give it secrets. */
__attribute__((format(printf, 2, 3))) void debug(const struct command *c, const char *format, ...);
enum status fail_passphrase(const struct command *c, const struct mortise_error *err);

/* Prints a line to standard output if -v or --debug was given. */
__attribute__((format(printf, 2, 3))) void verbose(const struct command *c, const char *format,
						   ...);
void say_slot(const struct command *c, int keyslot, enum slot_event event);
void say_status(const struct command *c, enum status status);

/* Prints "ab cd ": a blank after each byte, and line_break after every 16 bytes. */
void print_hex(const uint8_t *bytes, size_t size, const char *line_break);

/*
 * Prints title, a secret in the same form, and a newline. The secret never enters a stdio buffer;
 * stdout is flushed first.
 */
enum status print_secret(const char *title, const struct mortise_secret *secret);

#endif
