/* SPDX-License-Identifier: MIT */
/* Runs other programs: mkfs, fsck, modprobe. */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"

#define CANCEL_MS 10000u /* a canceled program gets this long to end by itself */

/* The directories of PATH, then those of the system's programs, which a user's PATH may lack. */
static bool find_program(const char *name, char path[static PATH_MAX])
{
	const char *own = getenv("PATH");
	const char *lists[] = { own ? own : "/usr/bin:/bin", "/usr/sbin:/sbin" };
	struct stat st;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return !access(path, X_OK);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		for (const char *at = lists[i]; *at; at += *at == ':') {
			const size_t length = strcspn(at, ":");

			snprintf(path, PATH_MAX, "%.*s/%s", (int)length, at, name);
			at += length;
			if (!access(path, X_OK) && !stat(path, &st) && S_ISREG(st.st_mode))
				return true;
		}
	}
	return false;
}

bool spawn_finds(const char *program)
{
	char path[PATH_MAX];

	return find_program(program, path);
}

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

/* Reads the output to its end and keeps its start. Returns false if canceled. */
static bool read_output(const struct mortise_events *events, int fd, char *said, size_t room)
{
	char rest[256] = "";
	size_t used = 0;
	ssize_t got;

	do {
		const bool full = used == room - 1;

		if (!wait_readable(events, fd))
			return false;
		got = read(fd, full ? rest : said + used, full ? sizeof(rest) : room - 1 - used);
		if (got > 0 && !full)
			used += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	said[used] = '\0';
	return true;
}

/* After SIGTERM, e2fsck leaves the file system consistent. */
static void end_program(pid_t child)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	kill(-child, SIGTERM);
	for (unsigned ms = 0; ms < CANCEL_MS; ms += 10) {
		if (waitpid(child, NULL, WNOHANG) == child)
			return;
		nanosleep(&pause, NULL);
	}
	kill(-child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static enum mortise_code start_program(char *const argv[], int output, pid_t *child,
				       struct mortise_error *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t group;
	char path[PATH_MAX];
	int sys = ENOENT;

	if (find_program(argv[0], path)) {
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, output, 1);
		posix_spawn_file_actions_adddup2(&actions, output, 2);
		/* In a group of its own, ^C on the terminal reaches this program alone. */
		posix_spawnattr_init(&group);
		posix_spawnattr_setflags(&group, POSIX_SPAWN_SETPGROUP);
		sys = posix_spawn(child, path, &actions, &group, argv, environ);
		posix_spawnattr_destroy(&group);
		posix_spawn_file_actions_destroy(&actions);
	}
	if (!sys)
		return MORTISE_OK;
	return error_set(err, sys == ENOENT ? MORTISE_E_UNSUPPORTED : MORTISE_E_SYSTEM, sys,
			 "cannot run %s; is it installed?", argv[0]);
}

enum mortise_code spawn_status(const struct mortise_events *events, char *const argv[], char *said,
			       size_t room, int *status, struct mortise_error *err)
{
	int pipe_fd[2] = { -1, -1 }, end = 0;
	enum mortise_code code;
	bool canceled;
	pid_t child;

	said[0] = '\0';
	if (pipe2(pipe_fd, O_CLOEXEC))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot run %s", argv[0]);
	code = start_program(argv, pipe_fd[1], &child, err);
	close(pipe_fd[1]);
	canceled = !code && !read_output(events, pipe_fd[0], said, room);
	close(pipe_fd[0]);
	if (code)
		return code;
	if (canceled) {
		end_program(child);
		return events_cancel_error(err);
	}
	while (waitpid(child, &end, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(end))
		return error_set(err, MORTISE_E_SYSTEM, 0, "%s was killed by signal %d", argv[0],
				 WTERMSIG(end));
	*status = WEXITSTATUS(end);
	return MORTISE_OK;
}

enum mortise_code spawn(const struct mortise_events *events, char *const argv[], char *said,
			size_t room, struct mortise_error *err)
{
	int status = 0;
	enum mortise_code code = spawn_status(events, argv, said, room, &status, err);

	if (code || !status)
		return code;
	/* The first line has the reason; mkfs.xfs adds its usage, mke2fs the consequences. */
	said += strspn(said, "\r\n");
	return error_set(err, MORTISE_E_SYSTEM, 0, "%s failed with status %d: %.*s", argv[0],
			 status, (int)strcspn(said, "\r\n"), said);
}
