/* SPDX-License-Identifier: MIT */
/* Interruption: the first signal cancels the operation and restores the terminal. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <mortise.h>

#include <signal.h>
#include <stdbool.h>

/*
 * Catches the first SIGINT, SIGTERM, SIGHUP or SIGQUIT; a second one terminates the program. Reads
 * are interrupted, not restarted.
 */
void signals_catch(void);
bool signals_caught(void);
/* The exit status after a signal, 128 + its number as shells have it; status without one. */
int signals_status(int status);
/* For the library: a signal cancels. */
extern const struct mortise_events signals_events;

/*
 * Blocks these signals until *before is restored. ppoll(2) restores it while it waits, so that no
 * signal is lost between a check of signals_caught() and the wait.
 */
void signals_hold(sigset_t *before);
void signals_restore(const sigset_t *before);

#endif
