/* SPDX-License-Identifier: MIT */
/* What one run of the program is to do; every verb's function gets this and nothing else. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <mortise.h>

#include "cli/options.h"

/* The exit status, cryptsetup's; 6 is ours: some declared volumes are ready, others not. */
enum status {
	STATUS_OK = 0,
	STATUS_USAGE = 1,	/* and whatever has no status of its own */
	STATUS_KEY = 2,
	STATUS_MEMORY = 3,
	STATUS_DEVICE = 4,
	STATUS_BUSY = 5,
	STATUS_PARTLY = 6,
};

struct verb;

struct command {
	const char *program;	/* as it was called, for usage errors */
	bool as_cryptsetup;	/* called by the name "cryptsetup" */
	const struct verb *verb;
	const char *type;	/* --type, or what an alias implies */
	char **words;		/* the verb's arguments, word_count of them */
	size_t word_count;
	struct options options;
};

/* The verbs and options of declared volumes: not under cryptsetup's name, not in every build. */
static inline bool command_declares(const struct command *c)
{
	return MORTISE_DECLARED && !c->as_cryptsetup;
}

/* Word i, or NULL when there are not so many. */
static inline const char *command_word(const struct command *c, size_t i)
{
	return i < c->word_count ? c->words[i] : NULL;
}

#endif
