/* SPDX-License-Identifier: MIT */
/* Talking with a person: a line without echo, and a confirmation. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "cli/command.h"

#define TERMINAL_PASSPHRASE_MAX 512u	/* characters, as in cryptsetup */

/*
 * Shows prompt and reads a line on /dev/tty (standard input and error when there is none)
 * with echo off. timeout in seconds, 0 for none. The newline is not part of *out.
 */
enum status terminal_read_passphrase(const char *prompt, uint32_t timeout,
				     struct mortise_secret **out);

/*
 * Asks for YES when standard input is a terminal; elsewhere the answer is yes, as cryptsetup
 * has it. When it is no, prints refusal (NULL: nothing) and returns false.
 */
bool terminal_confirm(const char *warning, const char *refusal);

#endif
