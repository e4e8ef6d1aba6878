/* SPDX-License-Identifier: MIT */
#include "cli/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/write.h"

#define KERNEL_LOG "/dev/kmsg"
/*
 * Without the newline. The kernel refuses a longer record: LOG_LINE_MAX is 1024 bytes less the
 * prefix of a line, which has at most 48 (kernel/printk/internal.h).
 */
#define RECORD_MAX 975u
#define CUT	   "..."

static enum { LOG_PLAIN, LOG_JOURNAL, LOG_KERNEL } log_target;

static struct {
	char bytes[RECORD_MAX + 1];
	size_t used; /* RECORD_MAX + 1: there was more */
} line;

/* The journal tells its clients the device and inode of the socket that it reads. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char number[64];
	struct stat st;

	if (!stream || fstat(fd, &st))
		return false;
	snprintf(number, sizeof(number), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return strcmp(stream, number) == 0;
}

void log_begin(const char *target)
{
	int fd;

	if (!target) {
		log_target = is_journal(STDERR_FILENO) ? LOG_JOURNAL : LOG_PLAIN;
	} else if (strcmp(target, "kmsg") == 0) {
		fd = open(KERNEL_LOG, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0) {
			print_to(stderr,
				 "mortise: cannot open " KERNEL_LOG ": %s; messages go to "
				 "standard error\n",
				 strerror(errno));
			return;
		}
		close(fd);
		log_target = LOG_KERNEL;
	}
}

bool log_is_active(void)
{
	return log_target != LOG_PLAIN;
}

bool log_is_kernel(void)
{
	return log_target == LOG_KERNEL;
}

/* Shortens a line that is too long, between two characters of UTF-8. */
static void cut_line(void)
{
	size_t end = RECORD_MAX - strlen(CUT);

	while (end > 0 && ((unsigned char)line.bytes[end] & 0xc0) == 0x80)
		end--;
	memcpy(line.bytes + end, CUT, strlen(CUT));
	line.used = end + strlen(CUT);
}

/*
 * Each record is written by one write(2) to a new open file: the kernel limits the rate of records
 * for each open file, and drops what is above it.
 */
static void write_line(void)
{
	int fd = log_target == LOG_KERNEL ? open(KERNEL_LOG, O_WRONLY | O_CLOEXEC | O_NOCTTY)
					  : STDERR_FILENO;

	if (line.used > RECORD_MAX)
		cut_line();
	/* The kernel, too, shows a record without a newline only when the next one comes. */
	line.bytes[line.used++] = '\n';
	if (fd >= 0)
		(void)write_all(fd, (const unsigned char *)line.bytes, line.used);
	if (fd >= 0 && fd != STDERR_FILENO)
		close(fd);
	line.used = 0;
}

/* A record names the program, so the same name at the start of the message is dropped. */
static void begin_line(char priority, const char **bytes, size_t *size)
{
	static const char name[] = "mortise: ";

	if (log_target == LOG_JOURNAL) {
		line.used = (size_t)snprintf(line.bytes, sizeof(line.bytes), "<%c>", priority);
		return;
	}
	line.used = (size_t)snprintf(line.bytes, sizeof(line.bytes), "<%c>mortise[%d]: ", priority,
				     (int)getpid());
	if (*size >= strlen(name) && memcmp(*bytes, name, strlen(name)) == 0) {
		*bytes += strlen(name);
		*size -= strlen(name);
	}
}

void log_put(char priority, const char *bytes, size_t size)
{
	while (size > 0) {
		const char *newline = memchr(bytes, '\n', size);
		size_t part = newline ? (size_t)(newline - bytes) : size, room;

		if (line.used == 0) {
			begin_line(priority, &bytes, &size);
			part = newline ? (size_t)(newline - bytes) : size;
		}
		room = sizeof(line.bytes) - line.used;
		room = part < room ? part : room;
		memcpy(line.bytes + line.used, bytes, room);
		line.used += room;
		if (newline)
			write_line();
		bytes += part + (newline != NULL);
		size -= part + (newline != NULL);
	}
}
