/* SPDX-License-Identifier: MIT */
/*
 * Messages as lines with the priorities of syslog(3), for --log and for the journal. Messages are
 * what print_to() writes to stderr. Results, which go to stdout, are never logged.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Chooses where messages go. target is the argument of --log, which option_table.c has checked, or
 * NULL: to stderr, and with priorities if stderr is the journal. If the kernel log cannot be opened,
 * messages go to stderr, after one that says so.
 */
void log_begin(const char *target);

/* Do messages go elsewhere than to a terminal, as lines with priorities? */
bool log_is_active(void);
/* Do they go to the kernel log? Then stdout may be lost, too. */
bool log_is_kernel(void);

/* Adds to the current line, which a newline ends. Its first part sets the priority. */
void log_put(char priority, const char *bytes, size_t size);

#endif
