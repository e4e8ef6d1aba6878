/* SPDX-License-Identifier: MIT */
/* What up and apply print and ask while the library works. */
#ifndef CLI_BRINGING_H
#define CLI_BRINGING_H

#include <stdio.h>

#include "cli/declared/volumes.h"

struct bringing {
	FILE *out;			/* NULL with -q */
	bool verbose;
	uint32_t timeout;		/* seconds for an answer, 0 for none */
	char asked[MORTISE_NAME_MAX + 1]; /* the volume of the last prompt */
};

/*
 * Reads the configuration, too; nothing is owned when it fails. Do not move *bringing:
 * volumes->events point to it.
 */
enum status bringing_begin(const struct command *c, struct volumes *volumes,
			   struct bringing *bringing);

#endif
