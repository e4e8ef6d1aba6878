/* SPDX-License-Identifier: MIT */
/* Terminal input by read(2) and write(2): no stdio buffer ever holds a passphrase. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/write.h"

#define ANSWER_MAX 16u /* bytes of the answer that are compared with "YES\n" */

static bool put(int fd, const char *text)
{
	return write_escaped(fd, MORTISE_ESCAPE_LINES, text, strlen(text));
}

/* False after a timeout or a signal. A timeout of 0 seconds waits forever. */
static bool wait_for_input(int fd, uint32_t timeout)
{
	struct pollfd watch = { .fd = fd, .events = POLLIN };
	struct timespec limit = { .tv_sec = (time_t)timeout };
	sigset_t before;
	int ready = -1;

	signals_hold(&before);
	while (ready < 0 && !signals_caught()) {
		ready = ppoll(&watch, 1, timeout > 0 ? &limit : NULL, &before);
		if (ready < 0 && errno != EINTR)
			break;
	}
	signals_restore(&before);
	return ready > 0 && !signals_caught();
}

/*
 * Reads up to size bytes or to a newline, which is not stored. Returns the number of bytes, or -1
 * after a timeout, a signal or an error. *whole: a newline or the end of input was reached. most: bytes
 * for each read(2); more than 1 only for a terminal, which ends each read at a newline.
 */
static ssize_t read_line(int fd, uint32_t timeout, uint8_t *line, size_t size, size_t most,
			 bool *whole)
{
	size_t have = 0;

	*whole = false;
	while (have < size) {
		ssize_t got;

		if (!wait_for_input(fd, timeout))
			return -1;
		got = read(fd, line + have, size - have < most ? size - have : most);
		if (got < 0)
			return -1;
		if (got == 0) {
			*whole = true;
			return have > 0 ? (ssize_t)have : -1;
		}
		have += (size_t)got;
		if (line[have - 1] == '\n') {
			*whole = true;
			return (ssize_t)have - 1;
		}
	}
	return (ssize_t)have;
}

enum status terminal_read_passphrase(const char *prompt, uint32_t timeout,
				     struct mortise_secret **out)
{
	struct mortise_secret *line = NULL;
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	struct termios before, silent;
	ssize_t size = -1;
	bool whole = false;
	int tty, in, answer;

	*out = NULL;
	if (mortise_secret_new(TERMINAL_PASSPHRASE_MAX + 1, &line, &err))
		return fail_with(STATUS_MEMORY, "Out of memory while reading passphrase.");
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	in = tty >= 0 ? tty : STDIN_FILENO;
	answer = tty >= 0 ? tty : STDERR_FILENO;
	fflush(stdout);
	if (tcgetattr(in, &before) == 0) {
		silent = before;
		silent.c_lflag &= (tcflag_t)~ECHO;
		/*
		 * TCSAFLUSH discards input typed earlier and the rest of a line that is too long.
		 * The prompt follows it, so that an immediate answer is not discarded.
		 */
		if (tcsetattr(in, TCSAFLUSH, &silent) == 0 && put(answer, prompt))
			size = read_line(in, timeout, mortise_secret_writable(line),
					 TERMINAL_PASSPHRASE_MAX + 1, TERMINAL_PASSPHRASE_MAX + 1,
					 &whole);
		tcsetattr(in, TCSAFLUSH, &before);
		(void)put(answer, "\n");
	} else if (tty < 0) {
		size = read_line(in, timeout, mortise_secret_writable(line),
				 TERMINAL_PASSPHRASE_MAX + 1, 1, &whole);
	}
	if (size < 0)
		status = fail_with(STATUS_USAGE, "Error reading passphrase from terminal.");
	else if (!whole || (size_t)size > TERMINAL_PASSPHRASE_MAX)
		status = fail_with(STATUS_USAGE, "Passphrase is longer than %u characters.",
				   TERMINAL_PASSPHRASE_MAX);
	else
		mortise_secret_truncate(line, (size_t)size);
	if (tty >= 0)
		close(tty);
	if (status != STATUS_OK)
		mortise_secret_free(&line);
	else
		*out = line;
	return status;
}

bool terminal_confirm(const char *warning, const char *refusal)
{
	char answer[ANSWER_MAX];
	size_t have = 0;
	char byte = 0;
	bool yes;

	if (!isatty(STDIN_FILENO))
		return true;
	print("\nWARNING!\n========\n");
	print_lines(stdout, warning);
	print("\n\nAre you sure? (Type 'yes' in capital letters): ");
	fflush(stdout);
	while (byte != '\n') {
		if (!wait_for_input(STDIN_FILENO, 0) || read(STDIN_FILENO, &byte, 1) != 1) {
			if (!signals_caught())
				print_to(stderr, "Error reading response from terminal.\n");
			return false;
		}
		if (have < sizeof(answer))
			answer[have++] = byte;
	}
	yes = have == 4 && memcmp(answer, "YES\n", 4) == 0;
	if (!yes && refusal) {
		print_lines(stderr, refusal);
		print_lines(stderr, "\n");
	}
	return yes;
}
