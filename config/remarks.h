/* SPDX-License-Identifier: MIT */
/* Collecting what is to be said about a configuration while it is read. */
#ifndef CONFIG_REMARKS_H
#define CONFIG_REMARKS_H

#include "config/config.h"

/* What is found beyond these is counted, not kept: no file makes us hold a million sentences. */
#define CONFIG_REMARKS_MAX 512u
/* Notices leave room, so that an error always finds some. */
#define CONFIG_NOTICES_MAX 256u

/* Where in the text; both count from 1, 0 for the whole of it. */
struct config_place {
	unsigned line;
	unsigned column;
};

struct config_log {
	struct config_remarks *remarks;
	size_t errors;		/* kept or not */
	bool no_memory;		/* a sentence could not be kept: the reading has failed */
};

__attribute__((format(printf, 3, 4))) void
config_error(struct config_log *log, struct config_place place, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
config_notice(struct config_log *log, struct config_place place, const char *format, ...);

/* Puts them in the order of the text. */
void config_remarks_sort(struct config_remarks *remarks);

/* The first error and the number of them, of which there is one at least: MORTISE_E_CONFIG. */
MORTISE_MUST_CHECK enum mortise_code
config_errors_report(const struct config_log *log, const char *source, struct mortise_error *err);

/* Bytes of a person's text in a remark, at most. */
#define CONFIG_SHOW_ROOM 68u

/*
 * Makes text[0..size-1] (UTF-8) fit to be printed: cut, and without control characters, so
 * that no file can write escape sequences to a terminal. Returns room.
 */
const char *config_show(const char *text, size_t size, char room[static CONFIG_SHOW_ROOM]);

#endif
