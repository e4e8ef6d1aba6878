/* SPDX-License-Identifier: MIT */
/*
 * replay OPTION... BEFORE TRACE AFTER: makes the states that a power cut can leave of a run that record.c
 * has recorded, in the current folder, and checks each. BEFORE, AFTER: the files before and after the run.
 *   --kind KIND      what must hold (replay_check.c)
 *   --header NAME, --data NAME, --key NAME (repeatable)
 *   --unsealed       the seal may be broken in between
 *   --handed NAME    this file must hold the last key before keyslot 1 exists
 *   --stride N       each N-th torn write
 *   --random N       seeded states for each flush
 *   --seed N
 *   --sample N       run COMMAND after the second and each N-th state
 *   --nested N       after each N-th state that is repaired or continued, also cuts of that
 *   --command TEXT   for sh, in the folder with the state
 * Prints "STATES REPEATED NESTED COMMANDS FLUSHES", and what is wrong.
 *
 * The states, for each flush and its pending changes: each prefix, with the next write torn after each
 * sector, from its start or from its end; all subsets of the changes if they are few; and seeded ones.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/replay.h"

#define FEW	  6u /* changes of which all subsets are tried */
#define WRONG_MAX 5u
#define NESTED	  8u /* cuts of one repair */

static struct {
	struct replay_check check;
	unsigned stride, random, sample, nested;
	uint64_t seed;
	const char *command;
	unsigned long states, repeated, nested_states, commands, flushes, wrong, turn, repaired;
} replay = { .stride = 1, .check = { .header = "image" } };

void give_up(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("replay: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\n", stderr);
	va_end(arguments);
	exit(2);
}

static void report(const char *state, const char *why)
{
	if (++replay.wrong <= WRONG_MAX)
		printf("before call %u, %s: %s\n", disk_position(), state, why);
}

static void run_command(const char *state)
{
	static char text[4096];
	int status;
	size_t size;
	FILE *output = popen(replay.command, "r");

	if (!output)
		give_up("cannot start a command");
	size = fread(text, 1, sizeof(text) - 1, output);
	text[size] = '\0';
	status = pclose(output);
	replay.commands++;
	disk_forget();
	if (status)
		report(state, text);
}

/* xorshift64* (Vigna 2016) */
static uint64_t next_random(void)
{
	replay.seed ^= replay.seed >> 12;
	replay.seed ^= replay.seed << 25;
	replay.seed ^= replay.seed >> 27;
	return replay.seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* What the check has written in this state is cut, too. */
static void cut_repair(const char *state)
{
	char text[160];

	for (unsigned i = 0; i < NESTED; i++) {
		const unsigned write = (unsigned)(next_random() % disk_watched());
		const unsigned sectors =
			(unsigned)(next_random() % (disk_watched_sectors(write) + 1));
		const char *why;

		disk_make_watched(write, sectors);
		replay.nested_states++;
		why = check_state(&replay.check);
		snprintf(text, sizeof(text), "%s; then %u writes of the repair and %u sectors",
			 state, write, sectors);
		if (why)
			report(text, why);
	}
}

/* A state with the parts for which chosen() returns true. */
static void try_state(const char *state,
		      bool (*chosen)(unsigned change, unsigned part, void *context), void *context)
{
	const char *why;

	disk_begin_state();
	for (unsigned i = 0; i < disk_pending_count(); i++)
		for (unsigned part = 0; part < disk_parts(i); part++)
			if (chosen(i, part, context))
				disk_apply(i, part);
	if (!disk_end_state()) {
		replay.repeated++;
		return;
	}
	replay.states++;
	disk_watch(true);
	why = check_state(&replay.check);
	disk_watch(false);
	if (why)
		report(state, why);
	if (replay.nested && disk_watched() && replay.repaired++ % replay.nested == 0)
		cut_repair(state);
	if (!why && replay.sample && (replay.states == 2 || replay.states % replay.sample == 0)) {
		disk_make_state();
		run_command(state);
	}
}

struct torn {
	unsigned change, part;
	bool end; /* the last parts of it, not the first */
};

static bool is_before(unsigned change, unsigned part, void *context)
{
	const struct torn *torn = context;

	if (change != torn->change)
		return change < torn->change;
	return torn->end ? part >= torn->part : part < torn->part;
}

static bool is_in_set(unsigned change, unsigned part, void *context)
{
	(void)part;
	return *(const unsigned *)context >> change & 1;
}

/* Of each change all, none, or some parts, by the density of this state. */
static bool is_random(unsigned change, unsigned part, void *context)
{
	static uint64_t all, none;

	/* A single change is torn in every state: the others have been tried. */
	if (!part) {
		const uint64_t word = disk_pending_count() > 1 ? next_random() : 2;

		all = word % 3 == 0;
		none = word % 3 == 1;
	}
	(void)change;
	return all || (!none && next_random() >> 56 < *(const uint64_t *)context);
}

static bool is_turn(void)
{
	return replay.turn++ % replay.stride == 0;
}

static void try_torn(bool end)
{
	char text[80];

	for (unsigned i = 0; i < disk_pending_count(); i++) {
		for (unsigned part = 0; part < disk_parts(i); part++) {
			struct torn torn = { i, part, end };

			snprintf(text, sizeof(text), "%u changes, %s %u of %u sectors of another",
				 i, end ? "without the first" : "with the first", part,
				 disk_parts(i));
			if (is_turn())
				try_state(text, is_before, &torn);
		}
	}
}

static void try_subsets(void)
{
	char text[80];

	if (disk_pending_count() > FEW)
		return;
	for (unsigned set = 0; set < 1u << disk_pending_count(); set++) {
		snprintf(text, sizeof(text), "changes %#x", set);
		try_state(text, is_in_set, &set);
	}
}

static void try_random(void)
{
	char text[80];

	for (unsigned i = 0; disk_pending_count() && i < replay.random; i++) {
		uint64_t density = 8 + next_random() % 240;

		snprintf(text, sizeof(text), "random state %u", i);
		try_state(text, is_random, &density);
	}
}

/* Whatever the program has when a flush begins, it may have committed. */
static void learn_commit(bool applied)
{
	disk_begin_state();
	for (unsigned i = 0; applied && i < disk_pending_count(); i++)
		for (unsigned part = 0; part < disk_parts(i); part++)
			disk_apply(i, part);
	disk_make_state();
	check_commit(&replay.check);
}

static void try_flush(void)
{
	replay.flushes++;
	learn_commit(false);
	learn_commit(true);
	try_torn(false);
	try_torn(true);
	try_subsets();
	try_random();
	disk_flush();
}

static enum replay_kind kind_of(const char *name)
{
	static const char *const names[] = {
		[REPLAY_OPENS] = "opens",	  [REPLAY_FORMAT] = "format",
		[REPLAY_BACKUP] = "backup",	  [REPLAY_META] = "meta",
		[REPLAY_REENCRYPT] = "reencrypt", [REPLAY_ENCRYPT] = "encrypt",
		[REPLAY_DECRYPT] = "decrypt",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return (enum replay_kind)i;
	give_up("%s: unknown kind", name);
}

static void take_option(int option)
{
	struct replay_check *check = &replay.check;
	const unsigned number = (unsigned)strtoul(optarg ? optarg : "0", NULL, 10);

	switch (option) {
	case 'k':
		check->kind = kind_of(optarg);
		break;
	case 'h':
		check->header = optarg;
		break;
	case 'd':
		check->data = optarg;
		break;
	case 'p':
		if (check->key_count == KEYS_MAX)
			give_up("too many keys");
		check->keys[check->key_count++] = optarg;
		break;
	case 'u':
		check->unsealed = true;
		break;
	case 'a':
		check->handed = optarg;
		break;
	case 's':
		replay.stride = number ? number : 1;
		break;
	case 'r':
		replay.random = number;
		break;
	case 'e':
		/* A generator of this kind never leaves 0. */
		replay.seed = number + UINT64_C(1) * 0x9e3779b9u;
		break;
	case 't':
		replay.nested = number;
		break;
	case 'n':
		replay.sample = number;
		break;
	case 'c':
		replay.command = optarg;
		break;
	default:
		give_up("unknown option");
	}
}

int main(int count, char **words)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "header", required_argument, NULL, 'h' },
		{ "data", required_argument, NULL, 'd' },
		{ "key", required_argument, NULL, 'p' },
		{ "unsealed", no_argument, NULL, 'u' },
		{ "handed", required_argument, NULL, 'a' },
		{ "stride", required_argument, NULL, 's' },
		{ "random", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'e' },
		{ "nested", required_argument, NULL, 't' },
		{ "sample", required_argument, NULL, 'n' },
		{ "command", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	const char *differs;
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1)
		take_option(option);
	if (count - optind != 3)
		give_up("usage: replay [OPTION]... BEFORE TRACE AFTER");
	check_learn(&replay.check, words[optind]);
	check_learn(&replay.check, words[optind + 2]);
	disk_load(words[optind], words[optind + 1]);
	while (disk_next())
		try_flush();
	if (disk_pending_count())
		report("at the end", "some changes are not flushed");
	differs = disk_differs(words[optind + 2]);
	if (differs)
		give_up("the trace lacks a write to %s", differs);
	printf("%lu %lu %lu %lu %lu\n", replay.states, replay.repeated, replay.nested_states,
	       replay.commands, replay.flushes);
	return replay.wrong != 0;
}
