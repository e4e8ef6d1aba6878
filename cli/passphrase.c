/* SPDX-License-Identifier: MIT */
/* Reads passphrases and key files exactly as cryptsetup 2.6.1 does, directly into secrets. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/read.h"
#include "cli/terminal.h"
#include "cli/write.h"

#define FIRST_SIZE 4096u /* bytes: the initial buffer */

bool passphrase_is_stdin(const char *file)
{
	return !file || strcmp(file, "-") == 0;
}

/* -y overrides -q. Only a terminal can be asked twice. */
static bool ask_twice(const struct command *c, bool wanted)
{
	bool forced = option_set(&c->options, OPTION_VERIFY_PASSPHRASE);

	if (forced)
		wanted = true;
	else if (option_set(&c->options, OPTION_BATCH_MODE))
		wanted = false;
	if (!wanted || isatty(STDIN_FILENO))
		return wanted;
	if (forced)
		print_to(stderr, "Can't do passphrase verification on non-tty inputs.\n");
	return false;
}

void passphrase_source(const struct command *c, const char *device,
		       struct passphrase_source *source)
{
	*source = (struct passphrase_source){
		.device = device,
		.file = option_text(&c->options, OPTION_KEY_FILE),
		.offset = option_number(&c->options, OPTION_KEYFILE_OFFSET),
		.size = option_number(&c->options, OPTION_KEYFILE_SIZE),
		.verify = ask_twice(c, false),
	};
}

void passphrase_new_source(const struct command *c, const char *device, const char *file,
			   struct passphrase_source *source)
{
	*source = (struct passphrase_source){
		.device = device,
		.file = file,
		.offset = option_number(&c->options, OPTION_NEW_KEYFILE_OFFSET),
		.size = option_number(&c->options, OPTION_NEW_KEYFILE_SIZE),
		.verify = ask_twice(c, true),
	};
}

static bool skip_bytes(int fd, uint64_t count)
{
	uint8_t dropped[512];
	bool skipped = false;
	off_t moved = -1;

	if (count <= INT64_MAX)
		moved = lseek(fd, (off_t)count, SEEK_CUR);
	if (moved > 0)
		return true;
	if (moved < 0 && errno != ESPIPE)
		return false;
	while (count > 0) {
		ssize_t got = read_some(fd, dropped,
					count < sizeof(dropped) ? (size_t)count : sizeof(dropped));

		if (got <= 0)
			break;
		count -= (uint64_t)got;
	}
	skipped = count == 0;
	explicit_bzero(dropped, sizeof(dropped));
	return skipped;
}

/* Doubles the buffer, up to the limit. */
static bool grow(struct mortise_secret **secret)
{
	size_t old_size = mortise_secret_size(*secret);
	size_t new_size = old_size * 2;
	struct mortise_secret *bigger = NULL;
	struct mortise_error err;

	if (new_size > MORTISE_PASSPHRASE_MAX)
		new_size = MORTISE_PASSPHRASE_MAX;
	if (mortise_secret_new(new_size, &bigger, &err))
		return false;
	memcpy(mortise_secret_writable(bigger), mortise_secret_data(*secret), old_size);
	mortise_secret_free(secret);
	*secret = bigger;
	return true;
}

enum stop { STOP_SIZE, STOP_END, STOP_NEWLINE, STOP_TOO_LONG, STOP_ERROR, STOP_MEMORY };

/*
 * Reads into *secret, which grows if no size was given. With by_line, reads single bytes up to a
 * newline: the rest of the pipe belongs to its next reader.
 */
static enum stop read_into(int fd, struct mortise_secret **secret, bool may_grow, bool by_line,
			   size_t *have)
{
	*have = 0;
	for (;;) {
		size_t room = mortise_secret_size(*secret);
		uint8_t *data = mortise_secret_writable(*secret);
		uint8_t extra;
		ssize_t got;

		if (*have == room && !may_grow)
			return STOP_SIZE;
		if (*have == MORTISE_PASSPHRASE_MAX) {
			got = read_some(fd, &extra, 1);
			explicit_bzero(&extra, 1);
			return got > 0 ? STOP_TOO_LONG : got == 0 ? STOP_END : STOP_ERROR;
		}
		if (*have == room) {
			if (!grow(secret))
				return STOP_MEMORY;
			continue;
		}
		got = read_some(fd, data + *have, by_line ? 1 : room - *have);
		if (got < 0)
			return STOP_ERROR;
		if (got == 0)
			return STOP_END;
		if (by_line && data[*have] == '\n') {
			data[*have] = 0;
			return STOP_NEWLINE;
		}
		*have += (size_t)got;
	}
}

/* The error message for the way a read ended; NULL on success. */
static const char *read_error(enum stop stop, bool empty, bool short_of_size)
{
	switch (stop) {
	case STOP_MEMORY:
		return "Out of memory while reading passphrase.";
	case STOP_ERROR:
		return "Error reading passphrase.";
	case STOP_TOO_LONG:
		return "Maximum keyfile size exceeded.";
	case STOP_END:
		if (empty)
			return "Nothing to read on input.";
		break;
	case STOP_NEWLINE:
	case STOP_SIZE:
		break;
	}
	return short_of_size ? "Cannot read requested amount of data." : NULL;
}

static enum status read_stream(int fd, struct passphrase_source *source, bool regular, bool by_line,
			       struct mortise_secret **out)
{
	struct mortise_secret *secret = NULL;
	struct mortise_error err;
	const char *wrong;
	enum stop stop;
	size_t have;

	if (source->offset > 0 && !skip_bytes(fd, source->offset))
		return fail_with(STATUS_USAGE, "Cannot seek to requested keyfile offset.");
	if (source->size > MORTISE_PASSPHRASE_MAX)
		return fail_with(STATUS_USAGE, "Maximum keyfile size exceeded.");
	if (mortise_secret_new(source->size > 0 ? (size_t)source->size : FIRST_SIZE, &secret, &err))
		return fail_with(STATUS_MEMORY, "Out of memory while reading passphrase.");
	stop = read_into(fd, &secret, source->size == 0, by_line, &have);
	source->nothing = stop == STOP_ERROR || (stop == STOP_END && have == 0 && !regular);
	wrong = read_error(stop, have == 0 && !regular, source->size > 0 && have != source->size);
	if (wrong) {
		mortise_secret_free(&secret);
		return fail_with(stop == STOP_MEMORY ? STATUS_MEMORY : STATUS_USAGE, "%s", wrong);
	}
	mortise_secret_truncate(secret, have);
	*out = secret;
	return STATUS_OK;
}

static enum status read_file(struct passphrase_source *source, struct mortise_secret **out)
{
	enum status status = STATUS_USAGE;
	struct stat st;
	bool regular;
	int fd;

	fd = open(source->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_with(STATUS_USAGE, "Failed to open key file.");
	if (isatty(fd)) {
		fail_with(status, "Cannot read keyfile from a terminal.");
		goto out;
	}
	if (fstat(fd, &st) != 0) {
		fail_with(status, "Failed to stat key file.");
		goto out;
	}
	regular = S_ISREG(st.st_mode);
	if (regular && source->offset > (uint64_t)st.st_size) {
		fail_with(status, "Cannot seek to requested keyfile offset.");
		goto out;
	}
	status = read_stream(fd, source, regular, false, out);
out:
	close(fd);
	return status;
}

/* For a loop device, cryptsetup shows the name of its backing file. */
static void shown_name(const char *device, char *name, size_t size)
{
	char path[96];
	struct stat st;
	FILE *file;

	snprintf(name, size, "%s", device);
	if (stat(device, &st) != 0 || !S_ISBLK(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file", major(st.st_rdev),
		 minor(st.st_rdev));
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	else
		snprintf(name, size, "%s", device);
	fclose(file);
}

static enum status read_terminal(const struct command *c, const struct passphrase_source *source,
				 struct mortise_secret **out)
{
	uint32_t timeout = option_number32(&c->options, OPTION_TIMEOUT);
	struct mortise_secret *first = NULL, *second = NULL;
	char prompt[PATH_MAX + 32], name[PATH_MAX];
	enum status status;

	if (source->offset > 0)
		return fail_with(STATUS_USAGE, "Cannot use offset with terminal input.");
	shown_name(source->device, name, sizeof(name));
	if (source->prompt)
		snprintf(prompt, sizeof(prompt), "%s", source->prompt);
	else
		snprintf(prompt, sizeof(prompt), "Enter passphrase for %s: ", name);
	status = terminal_read_passphrase(prompt, timeout, &first);
	if (status != STATUS_OK)
		goto out;
	if (source->verify) {
		status = terminal_read_passphrase("Verify passphrase: ", timeout, &second);
		if (status != STATUS_OK)
			goto out;
		if (!mortise_secret_equal(first, second)) {
			status = fail_with(STATUS_KEY, "Passphrases do not match.");
			goto out;
		}
	}
	*out = first;
	first = NULL;
out:
	mortise_secret_free(&second);
	mortise_secret_free(&first);
	return status;
}

enum status passphrase_read(const struct command *c, struct passphrase_source *source,
			    struct mortise_secret **out)
{
	*out = NULL;
	source->nothing = false;
	if (!passphrase_is_stdin(source->file))
		return read_file(source, out);
	if (isatty(STDIN_FILENO))
		return read_terminal(c, source, out);
	return read_stream(STDIN_FILENO, source, false, !source->file, out);
}

enum status volume_key_read(const char *file, size_t size, struct mortise_secret **out)
{
	struct mortise_secret *key = NULL;
	enum status status = STATUS_OK;
	struct mortise_error err;
	size_t have = 0;
	int fd = -1;

	*out = NULL;
	if (mortise_secret_new(size, &key, &err))
		return fail_with(STATUS_MEMORY, "%s", err.text);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		status = fail_with(STATUS_USAGE, "Cannot read keyfile %s.", file);
		goto out;
	}
	if (read_into(fd, &key, false, false, &have) != STOP_SIZE) {
		status = fail_with(STATUS_USAGE, "Cannot read %zu bytes from keyfile %s.", size,
				   file);
		goto out;
	}
	*out = key;
	key = NULL;
out:
	if (fd >= 0)
		close(fd);
	mortise_secret_free(&key);
	return status;
}

enum status volume_key_write(const char *file, const struct mortise_secret *key)
{
	int fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOCTTY, S_IRUSR);
	bool written;

	if (fd < 0)
		return fail_with(STATUS_USAGE, "Cannot open keyfile %s for write.", file);
	written = write_all(fd, mortise_secret_data(key), mortise_secret_size(key));
	if (close(fd) != 0 || !written)
		return fail_with(STATUS_USAGE, "Cannot write to keyfile %s.", file);
	return STATUS_OK;
}
