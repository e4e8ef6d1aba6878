/* SPDX-License-Identifier: MIT */
/* A line of crypttab(5) as the command line of open. */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "cli/command.h"

#define ATTACH_WORDS_MAX 64u
#define ATTACH_ROOM	 8192u	/* bytes of all words */

struct attach {
	const char *name, *device, *key_file; /* key_file NULL: ask for a passphrase */
	bool random_key;
	const char *type;	/* "luks", "plain", one that open refuses, or NULL: not named */
	bool plain_only;	/* an option says that the device is not LUKS */
	bool swap;
	const char *tmp;	/* file system to make, or NULL */
	bool check;		/* the mapping must show a file system */
	const char *check_type;	/* of this type, or NULL */
	bool erase_key, headless;
	uint64_t offset;	/* bytes */

	char *words[ATTACH_WORDS_MAX]; /* of open, word_count of them */
	int word_count;
	char room[ATTACH_ROOM];
	size_t used;
};

/* Appends a word of open: before and after, joined. False: too many, which is printed. */
bool attach_word(struct attach *attach, const char *before, const char *after);
/* Replaces "\NNN" (octal, as in fstab(5)) and "\X". */
void attach_unescape(char *text);

/*
 * Reads the options of a line, in systemd's and Debian's notation, and changes text. First what the
 * device is, then, with attach->type set, the words for open. Prints what it refuses.
 */
enum status attach_read_options(struct attach *attach, char *text);
enum status attach_add_options(struct attach *attach, char *text);

#endif
