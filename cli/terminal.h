/* SPDX-License-Identifier: MIT */
/* Prompts: a passphrase without echo, and a confirmation. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "cli/command.h"

#define TERMINAL_PASSPHRASE_MAX 512u	/* characters, as in cryptsetup */

/*
 * Shows prompt and reads a line from /dev/tty with echo off; without /dev/tty, uses standard input
 * and error. Standard input that is not a terminal gets no prompt, and only the line is read from it.
 * timeout is in seconds; 0 waits forever. *out does not include the newline.
 */
enum status terminal_read_passphrase(const char *prompt, uint32_t timeout,
				     struct mortise_secret **out);

/*
 * Asks for "YES" if standard input is a terminal. Otherwise returns true, as cryptsetup does. For any
 * other answer, prints refusal unless it is NULL, and returns false.
 */
bool terminal_confirm(const char *warning, const char *refusal);

#endif
