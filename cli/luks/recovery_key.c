/* SPDX-License-Identifier: MIT */
/* The only code that prints a recovery key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/luks/recovery_key.h"
#include "cli/write.h"

bool recovery_sink_there(const struct command *c)
{
	if (option_set(&c->options, OPTION_RECOVERY_FILE) || isatty(STDOUT_FILENO))
		return true;
	fail_with(STATUS_USAGE, "mortise: A recovery key is printed only to a terminal, so that it "
				"does not end up in a log; use --recovery-file FILE.");
	return false;
}

enum status recovery_sink_open(const struct command *c, struct recovery_sink *sink)
{
	return recovery_sink_create(option_text(&c->options, OPTION_RECOVERY_FILE), sink);
}

enum status recovery_sink_create(const char *file, struct recovery_sink *sink)
{
	char blanks[MORTISE_RECOVERY_LENGTH];

	*sink = (struct recovery_sink){ .file = file, .fd = STDOUT_FILENO };
	if (!sink->file)
		return STATUS_OK;
	sink->fd = open(sink->file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW,
			S_IRUSR | S_IWUSR);
	if (sink->fd < 0)
		return fail_with(errno == EEXIST ? STATUS_BUSY : STATUS_USAGE,
				 "mortise: Cannot create file %s: %s.", sink->file,
				 strerror(errno));
	memset(blanks, ' ', sizeof(blanks));
	if (write_all(sink->fd, blanks, sizeof(blanks)) && fsync(sink->fd) == 0 &&
	    sync_folder_of(sink->file))
		return STATUS_OK;
	fail_with(STATUS_USAGE, "mortise: Cannot write to %s: %s.", sink->file, strerror(errno));
	recovery_sink_close(sink);
	return STATUS_USAGE;
}

/* Without a newline, the file works as a key file for any program that opens LUKS2. */
static bool fill_file(int fd, const struct mortise_secret *key)
{
	return lseek(fd, 0, SEEK_SET) == 0 &&
	       write_all(fd, mortise_secret_data(key), mortise_secret_size(key)) &&
	       ftruncate(fd, (off_t)mortise_secret_size(key)) == 0 && fsync(fd) == 0;
}

enum status recovery_sink_put(struct recovery_sink *sink, const struct mortise_secret *key,
			      const char *device, int keyslot)
{
	if (sink->file) {
		sink->filled = fill_file(sink->fd, key);
		return sink->filled ? STATUS_OK
				    : fail_with(STATUS_USAGE, "mortise: Cannot write to %s: %s.",
						sink->file, strerror(errno));
	}
	fflush(stdout);
	print_to(stderr,
		 "Recovery key of %s, keyslot %d. It is shown only once and is not stored:\n\n",
		 device, keyslot);
	if (!write_all(sink->fd, mortise_secret_data(key), mortise_secret_size(key)) ||
	    !write_all(sink->fd, "\n", 1))
		return fail_with(STATUS_USAGE, "mortise: Cannot write to standard output: %s.",
				 strerror(errno));
	print_to(stderr,
		 "\nWrite it down and keep it away from this machine. Enter it wherever a "
		 "passphrase\nis asked for. mortise and systemd also accept it without dashes "
		 "and in capital\nletters.\n");
	sink->filled = true;
	return STATUS_OK;
}

void recovery_sink_close(struct recovery_sink *sink)
{
	if (!sink->file || sink->fd < 0)
		return;
	if (!sink->filled)
		unlink(sink->file);
	close(sink->fd);
	sink->fd = -1;
}
