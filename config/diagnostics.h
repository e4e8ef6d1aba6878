/* SPDX-License-Identifier: MIT */
/* Collecting the errors and notices on a configuration. */
#ifndef CONFIG_DIAGNOSTICS_H
#define CONFIG_DIAGNOSTICS_H

#include "config/config.h"

/* Further diagnostics are counted only, to bound the memory that a file can take. */
#define CONFIG_DIAGNOSTICS_MAX 512u
/* Fewer than CONFIG_DIAGNOSTICS_MAX, so that notices do not displace errors. */
#define CONFIG_NOTICES_MAX 256u

/* Both count from 1; 0 means the whole text. */
struct config_position {
	unsigned line;
	unsigned column;
};

struct config_log {
	struct config_diagnostics *diagnostics;
	size_t errors;		/* including those that were not kept */
	bool out_of_memory;	/* parsing has failed */
};

__attribute__((format(printf, 3, 4))) void
config_error(struct config_log *log, struct config_position position, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
config_notice(struct config_log *log, struct config_position position, const char *format, ...);

/* Sorts by position in the text. */
void config_diagnostics_sort(struct config_diagnostics *diagnostics);

/* Sets err to the first error and their number. There must be an error. MORTISE_E_CONFIG. */
MORTISE_MUST_CHECK enum mortise_code
config_errors_report(const struct config_log *log, const char *source, struct mortise_error *err);

/* Bytes that config_printable() writes at most. */
#define CONFIG_PRINTABLE_SIZE 68u

/*
 * Makes text[0..size-1] safe to print: cuts it, and escapes control characters, so that a file
 * cannot send escape sequences to a terminal. Returns room.
 */
const char *config_printable(const char *text, size_t size,
			    char room[static CONFIG_PRINTABLE_SIZE]);

#endif
