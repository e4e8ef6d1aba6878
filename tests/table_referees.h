/* SPDX-License-Identifier: MIT */
/*
 * Partition tables as sfdisk and sgdisk read them, for tests that use tests/disk.h. Include this
 * file behind it.
 */
#ifndef TESTS_TABLE_REFEREES_H
#define TESTS_TABLE_REFEREES_H

/* The rows of the table as the referees print them. */
struct rows {
	char sfdisk[2048];
	char sgdisk[2048];
};

/* Runs a shell command with path in place of its %s. */
static void run_command(const char *format, const char *path, char *text, size_t room)
{
	char command[512];
	FILE *pipe;

	snprintf(command, sizeof(command), format, path);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	text[fread(text, 1, room - 1, pipe)] = '\0';
	pclose(pipe);
}

/* filter: commands of sed for each line of the dump of sfdisk. */
static void read_rows(const char *path, const char *filter, struct rows *rows)
{
	char dump[256];

	snprintf(dump, sizeof(dump),
		 "LC_ALL=C sfdisk --dump %%s 2>/dev/null | sed -n '%s; s/^[^:]* : //p'", filter);
	run_command(dump, path, rows->sfdisk, sizeof(rows->sfdisk));
	run_command("LC_ALL=C sgdisk --print %s 2>/dev/null | grep '^ *[0-9]'", path, rows->sgdisk,
		    sizeof(rows->sgdisk));
}

/* Are both copies of the table good? text: what sgdisk says. */
static bool table_is_good(const char *path, char *text, size_t room)
{
	run_command("LC_ALL=C sgdisk --verify %s 2>&1", path, text, room);
	return strstr(text, "No problems found");
}

#endif
