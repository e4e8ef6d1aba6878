/* SPDX-License-Identifier: MIT */
/*
 * A proxy between a TPM and its user, for the TCTI of type cmd. It logs the traffic for tests, and
 * sends responses that a working TPM does not send.
 *
 *   proxy SOCKET [log FILE] [answer CC RC TIMES]... [mute CC] [flip CC NUMBER]
 *
 * SOCKET is the data channel of swtpm. "log" appends all bytes of both directions to FILE. "answer"
 * sends RC in response to the first TIMES commands with code CC, without asking the TPM. "mute"
 * never responds to commands with code CC. "flip" changes the last bit of a parameter in the response
 * to the NUMBER-th command with code CC.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER	10u
#define RULES	8
#define FLIPPED 25u /* after the header, the size of the parameters, and that of the first one */

static struct {
	unsigned long command, answer, times;
} rules[RULES];
static int rule_count;
static unsigned long mute;
static unsigned long flip, flip_number;

static unsigned long load32(const uint8_t *at)
{
	return (unsigned long)at[0] << 24 | (unsigned long)at[1] << 16 | (unsigned long)at[2] << 8 |
	       at[3];
}

/*
 * Reads a command or a response; both have their size in bytes 2 to 5. Exits if the other side has
 * closed the connection.
 */
static size_t get(int fd, uint8_t *message, size_t room)
{
	size_t size = HEADER;

	for (size_t have = 0; have < size;) {
		ssize_t got = read(fd, message + have, size - have);

		if (got <= 0)
			exit(0);
		have += (size_t)got;
		if (have == HEADER)
			size = load32(message + 2);
		if (size < HEADER || size > room)
			exit(1);
	}
	return size;
}

static void put(int fd, const uint8_t *message, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = write(fd, message + done, size - done);

		if (got <= 0)
			exit(1);
		done += (size_t)got;
	}
}

static int reach(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static size_t canned(const uint8_t *command, uint8_t *answer)
{
	for (int i = 0; i < rule_count; i++) {
		if (rules[i].command != load32(command + 6) || !rules[i].times)
			continue;
		rules[i].times--;
		memcpy(answer, "\x80\x01\0\0\0\x0a", 6);
		for (unsigned byte = 0; byte < 4; byte++)
			answer[6 + byte] = (uint8_t)(rules[i].answer >> (24 - 8 * byte));
		return HEADER;
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint8_t command[8192], answer[8192];
	FILE *log = NULL;
	int tpm;

	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "log") && i + 1 < argc) {
			log = fopen(argv[++i], "ab");
		} else if (!strcmp(argv[i], "mute") && i + 1 < argc) {
			mute = strtoul(argv[++i], NULL, 16);
		} else if (!strcmp(argv[i], "answer") && i + 3 < argc && rule_count < RULES) {
			rules[rule_count].command = strtoul(argv[++i], NULL, 16);
			rules[rule_count].answer = strtoul(argv[++i], NULL, 16);
			rules[rule_count++].times = strtoul(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "flip") && i + 2 < argc) {
			flip = strtoul(argv[++i], NULL, 16);
			flip_number = strtoul(argv[++i], NULL, 10);
		} else {
			return 2;
		}
	}
	tpm = reach(argv[1]);
	for (;;) {
		size_t asked = get(STDIN_FILENO, command, sizeof(command)), size;

		if (log) {
			fwrite(command, 1, asked, log);
			fflush(log);
		}
		if (mute && mute == load32(command + 6)) {
			struct pollfd gone = { .fd = STDIN_FILENO };

			poll(&gone, 1, -1);
			return 0;
		}
		size = canned(command, answer);
		if (!size) {
			put(tpm, command, asked);
			size = get(tpm, answer, sizeof(answer));
			if (flip == load32(command + 6) && !--flip_number)
				answer[FLIPPED] ^= 1;
		}
		if (log) {
			fwrite(answer, 1, size, log);
			fflush(log);
		}
		put(STDOUT_FILENO, answer, size);
	}
}
