/* SPDX-License-Identifier: MIT */
/* Interruption: the first signal lets the step end and the terminal be put right. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/*
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT set a mark, once; the second one ends the program, for
 * an unlock that takes too long. Reads are interrupted, not restarted.
 */
void signals_catch(void);
bool signals_caught(void);

#endif
