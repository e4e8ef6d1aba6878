/* SPDX-License-Identifier: MIT */
/*
 * Which configurations, roots and devices up and apply have used in this boot, in
 * /run/mortise/opened: down and status use the last of them if they are given none.
 */
#ifndef CLI_OPENED_H
#define CLI_OPENED_H

#include "cli/declared/volumes.h"

/* Adds the options of this run, if it has opened a volume. report may be NULL. */
void opened_add(const struct volumes *volumes,
		const struct mortise_report *report);

/* Fills the options of down and status from the last run, unless any of them is given. */
void opened_use(const struct command *c, struct volumes *volumes);

/* After down: removes the runs of which no volume is open any more, and prints what else is open. */
void opened_remove(const struct command *c);

#endif
