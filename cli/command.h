/* SPDX-License-Identifier: MIT */
/* The parsed command line that every verb's function receives. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <mortise.h>

#include "cli/options.h"

/* Exit statuses: cryptsetup's, 6 if only some of the declared volumes are ready, and check's. */
enum status {
	STATUS_OK = 0,
	STATUS_USAGE = 1,	/* and errors without a status of their own */
	STATUS_KEY = 2,
	STATUS_MEMORY = 3,
	STATUS_DEVICE = 4,
	STATUS_BUSY = 5,
	STATUS_PARTLY = 6,
	STATUS_WARNINGS = 7,
	STATUS_ERRORS = 8,
};

struct verb;

struct command {
	const char *program;	/* argv[0], for usage errors */
	bool as_cryptsetup;	/* invoked under the name "cryptsetup" */
	const struct verb *verb;
	const char *type;	/* --type, or what an alias implies */
	char **words;		/* the verb's arguments, word_count of them */
	size_t word_count;
	struct options options;
};

/* Are the verbs and options of declared volumes available? Not under the name cryptsetup. */
static inline bool command_declares(const struct command *c)
{
	return MORTISE_DECLARED && !c->as_cryptsetup;
}

/*
 * --max-unlock-time for the library: 0 if it was not given. On the command line, 0 means no limit;
 * so does the name cryptsetup, which does not have this option.
 */
static inline uint32_t command_max_unlock(const struct command *c)
{
	const uint32_t seconds = option_number32(&c->options, OPTION_MAX_UNLOCK_TIME);

	if (c->as_cryptsetup)
		return UINT32_MAX;
	return option_set(&c->options, OPTION_MAX_UNLOCK_TIME) && !seconds ? UINT32_MAX : seconds;
}

/* Word i, or NULL behind the last. */
static inline const char *command_word(const struct command *c, size_t i)
{
	return i < c->word_count ? c->words[i] : NULL;
}

/* The name of the mapping that a word names, with or without its directory, as in cryptsetup. */
static inline const char *mapping_name(const char *word)
{
	static const char directory[] = "/dev/mapper/";
	const bool path = word && strncmp(word, directory, sizeof(directory) - 1) == 0;

	return path ? word + sizeof(directory) - 1 : word;
}

/* Word i as the name of a mapping. */
static inline const char *command_mapping(const struct command *c, size_t i)
{
	return mapping_name(command_word(c, i));
}

#endif
