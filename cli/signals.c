/* SPDX-License-Identifier: MIT */
/* Signals that interrupt the program. */
#include <stddef.h>
#include <string.h>

#include "cli/signals.h"

/* A signal handler can only set a global variable; this is the only one in the program. */
static volatile sig_atomic_t caught; /* the number of the first signal; 0: none */

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define COUNT (sizeof(numbers) / sizeof(numbers[0]))

static void note(int signal_number)
{
	if (!caught)
		caught = signal_number;
}

void signals_catch(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = note;
	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < COUNT; i++) {
		struct sigaction old;

		/* nohup(1) and background jobs ignore a signal on purpose. */
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}

bool signals_caught(void)
{
	return caught != 0;
}

int signals_status(int status)
{
	return caught ? 128 + (int)caught : status;
}

static bool go_on(void *context, const struct mortise_event *event)
{
	(void)context;
	(void)event;
	return !signals_caught();
}

const struct mortise_events signals_events = { .call = go_on };

void signals_hold(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < COUNT; i++)
		sigaddset(&held, numbers[i]);
	sigprocmask(SIG_BLOCK, &held, before);
}

void signals_restore(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}
