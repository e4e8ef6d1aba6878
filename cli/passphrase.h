/* SPDX-License-Identifier: MIT */
/* Where a passphrase or volume key comes from: terminal, standard input or a file. */
#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "cli/command.h"

struct passphrase_source {
	const char *prompt;	/* NULL: "Enter passphrase for DEVICE: " */
	const char *device;
	const char *file;	/* NULL: terminal, or first line of standard input; "-": all of it */
	uint64_t offset;	/* bytes to skip */
	uint64_t size;		/* bytes to read, exactly; 0: all, at most MORTISE_PASSPHRASE_MAX */
	bool verify;		/* on a terminal, ask twice */
	bool nothing;		/* set by passphrase_read: there was nothing to read */
};

/* NULL and "-" both mean standard input. */
bool passphrase_is_stdin(const char *file);

/* The source that --key-file, --keyfile-offset and --keyfile-size name. */
void passphrase_source(const struct command *c, const char *device,
		       struct passphrase_source *source);
/* The source of a new passphrase: file, with --new-keyfile-offset and -size. */
void passphrase_new_source(const struct command *c, const char *device, const char *file,
			   struct passphrase_source *source);

/* Reads it; prints what went wrong. */
enum status passphrase_read(const struct command *c, struct passphrase_source *source,
			    struct mortise_secret **out);

/* --volume-key-file: exactly size bytes. */
enum status volume_key_read(const char *file, size_t size, struct mortise_secret **out);
/* Makes a new file, mode 0400. */
enum status volume_key_write(const char *file, const struct mortise_secret *key);

#endif
