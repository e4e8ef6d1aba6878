/* SPDX-License-Identifier: MIT */
/* One row for each option: its name, its argument, and the verbs that take it. */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include "cli/options.h"

#define OPTION_EXTENSION (UINT64_C(1) << 63) /* a bit of verbs: cryptsetup lacks the option */
#define OPTION_IGNORED (UINT64_C(1) << 62) /* a bit of have: the other verbs ignore the option */

enum option_kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_LIST,		/* may be repeated: --device */
	KIND_SLOT,		/* signed: -1 is any keyslot or token */
	KIND_UINT32,
	KIND_UINT64,
	KIND_SIZE,		/* bytes, with a suffix such as M or KiB */
};

struct option_row {
	const char *name;
	char letter;
	enum option_kind kind;
	const char *value;	/* the name of its argument in the help text */
	uint64_t verbs;		/* bit n: verb n takes it */
	uint64_t have;		/* bit n: supported for verb n, whose --help shows it */
	const char *help;	/* NULL: not supported, not shown */
};

struct option_alias {
	const char *name;
	enum option_id id;
};

static inline bool option_is_extension(const struct option_row *row)
{
	return row->verbs != UINT64_MAX && (row->verbs & OPTION_EXTENSION);
}

extern const struct option_row option_table[OPTION_COUNT];
extern const struct option_alias option_aliases[];

#endif
