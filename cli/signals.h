/* SPDX-License-Identifier: MIT */
/* Interruption: the first signal lets the step end and the terminal be put right. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT set a mark, once; the second one ends the program, for
 * an unlock that takes too long. Reads are interrupted, not restarted.
 */
void signals_catch(void);
bool signals_caught(void);

/*
 * Keeps these signals back until *before is set again, as ppoll(2) does while it waits: none
 * slips in between a look at signals_caught and the wait.
 */
void signals_hold(sigset_t *before);
void signals_restore(const sigset_t *before);

#endif
