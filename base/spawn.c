/* SPDX-License-Identifier: MIT */
/* Runs other programs: mkfs, modprobe. */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"

/* Waits until fd is readable. Returns false if canceled. */
static bool wait_readable(const struct mortise_events *events, int fd)
{
	struct pollfd watch = { .fd = fd, .events = POLLIN };

	do {
		if (events_canceled(events))
			return false;
	} while (poll(&watch, 1, EVENTS_POLL_MS) <= 0);
	return true;
}

enum mortise_code spawn(const struct mortise_events *events, char *const argv[], char *said,
			size_t room, struct mortise_error *err)
{
	posix_spawn_file_actions_t actions;
	int pipe_fd[2] = { -1, -1 }, status = 0, sys;
	size_t used = 0;
	bool canceled = false;
	ssize_t got;
	pid_t child;

	said[0] = '\0';
	if (pipe2(pipe_fd, O_CLOEXEC))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot run %s", argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 1);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 2);
	sys = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fd[1]);
	if (sys) {
		close(pipe_fd[0]);
		return error_set(err, sys == ENOENT ? MORTISE_E_UNSUPPORTED : MORTISE_E_SYSTEM, sys,
				 "cannot run %s; is it installed?", argv[0]);
	}
	for (;;) {
		if (!wait_readable(events, pipe_fd[0])) {
			canceled = true;
			kill(child, SIGKILL);
			break;
		}
		got = read(pipe_fd[0], said + used, room - 1 - used);
		if (!got || (got < 0 && errno != EINTR))
			break;
		used += got > 0 ? (size_t)got : 0;
		/* Keep the end of the output, which has the reason. */
		if (used == room - 1) {
			memmove(said, said + room / 2, used - room / 2);
			used -= room / 2;
		}
	}
	close(pipe_fd[0]);
	said[used] = '\0';
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (canceled)
		return events_cancel_error(err);
	for (char *at = said; *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_set(err, MORTISE_E_SYSTEM, 0, "%s failed with status %d: %.300s",
				 argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1, said);
	return MORTISE_OK;
}
