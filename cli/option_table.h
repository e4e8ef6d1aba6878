/* SPDX-License-Identifier: MIT */
/* One row an option: what it is called, what it takes, who may take it, whether we have it. */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include "cli/options.h"

#define OPTION_OURS (UINT64_C(1) << 63) /* in verbs, unless all may take it: cryptsetup has none */

enum option_kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_LIST,		/* may be repeated: --device */
	KIND_SLOT,		/* signed: -1 is the keyslot or token "any" */
	KIND_UINT32,
	KIND_UINT64,
	KIND_SIZE,		/* bytes, with a suffix such as M or KiB */
};

struct option_row {
	const char *name;
	char letter;
	enum option_kind kind;
	const char *value;	/* what help calls its argument */
	uint64_t verbs;		/* bit n: verb n may take it */
	uint64_t have;		/* bit n: this version does it for verb n */
	const char *help;	/* NULL: not shown, because this version lacks it */
};

struct option_alias {
	const char *name;
	enum option_id id;
};

extern const struct option_row option_table[OPTION_COUNT];
extern const struct option_alias option_aliases[];

#endif
