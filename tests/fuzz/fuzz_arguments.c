/* SPDX-License-Identifier: MIT */
/*
 * Command lines, and documents for benchmark --compare and --scale. The first byte of an input
 * selects which. The words of a command line are lines; --test-args precedes them, so that none runs.
 * Documents are separated by a byte 1. No output may control the terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/bench/benchmark.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define WORDS_MAX 128u

enum kind { COMMAND, AS_CRYPTSETUP, HELPED, COMPARED, COMPARED_JSON, SCALED };
const char *const fuzz_kinds[] = {
	"command lines",    "cryptsetup's", "help texts", "compared",
	"compared as JSON", "scaled",	    NULL,
};

/* cli/main.c, compiled under another name. */
int cli_main(int argc, char **argv);

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
size_t __wrap_fwrite(const void *bytes, size_t size, size_t count, FILE *file);

/* The paths of the documents are "A" and "B". */
int __wrap_open(const char *path, int flags, ...)
{
	const uint8_t *end = input.left ? memchr(input.at, 1, input.left) : NULL;
	const size_t first = end ? (size_t)(end - input.at) : input.left;
	const uint8_t *text = *path == 'A' ? input.at : input.at + first + (end != NULL);
	const size_t size = *path == 'A' ? first : input.left - first - (end != NULL);
	int fd;

	if (strcmp(path, "A") != 0 && strcmp(path, "B") != 0)
		return __real_open(path, flags);
	fd = memfd_create("document", MFD_CLOEXEC);
	check(fd >= 0 && (!size || pwrite(fd, text, size, 0) == (ssize_t)size));
	return fd;
}

/* All output of the program passes through this. */
size_t __wrap_fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
	const unsigned char *at = bytes;

	check(file == stdout || file == stderr);
	for (size_t i = 0; i < size * count; i++)
		check((at[i] >= ' ' && at[i] != 0x7f) || at[i] == '\n' || at[i] == '\t');
	return count;
}

static bool asks_for_help(char **words)
{
	for (; *words; words++)
		if (!strcmp(*words, "--help") || !strcmp(*words, "--usage") ||
		    !strcmp(*words, "--version") || !strncmp(*words, "-?", 2))
			return true;
	return false;
}

/* Each word has its own memory, so that sanitizers detect reads beyond its end. */
static void run_command(bool as_cryptsetup)
{
	char *words[WORDS_MAX + 1] = { NULL }, *argv[WORDS_MAX + 1], *copy, *rest, *word;
	bool help;
	int count = 0;

	words[count++] = strdup(as_cryptsetup ? "/sbin/cryptsetup" : "mortise");
	words[count++] = strdup("--test-args");
	copy = rest = strndup((const char *)input.at, input.left);
	while (count < (int)WORDS_MAX && (word = strsep(&rest, "\n")))
		words[count++] = strdup(word);
	free(copy);
	help = asks_for_help(words);
	memcpy(argv, words, sizeof(argv));
	if (!cli_main(count, argv))
		fuzz_accepted(help ? HELPED : as_cryptsetup ? AS_CRYPTSETUP : COMMAND);
	for (int i = 0; i < count; i++)
		free(words[i]);
}

static enum status run_benchmark_on(enum status (*run)(struct benchmark *), struct command *command,
				    bool json)
{
	char a[] = "A", b[] = "B";
	char *words[] = { a, b, NULL };
	struct benchmark benchmark = {
		.c = command,
		.name = "compare",
		.json = json,
		.words = words,
		.word_count = 2,
		.results = json_object_new_array(),
		.warnings = json_object_new_array(),
	};

	return benchmark_finish(&benchmark, run(&benchmark));
}

static void compare(bool json)
{
	struct command command = { .program = "mortise" };

	if (!run_benchmark_on(benchmark_compare, &command, json))
		fuzz_accepted(json ? COMPARED_JSON : COMPARED);
}

static void scale(unsigned choice)
{
	struct command command = { .program = "mortise" };
	struct option_value *values = command.options.values;

	values[OPTION_SCALE] = (struct option_value){ .set = true, .text = "A" };
	if (choice & 8)
		values[OPTION_TARGET_MS] = (struct option_value){ .set = true, .number = 500 };
	if (choice & 16)
		values[OPTION_TARGET_MEMORY] =
			(struct option_value){ .set = true, .number = 64u << 20 };
	if (!run_benchmark_on(benchmark_argon2, &command, choice & 32))
		fuzz_accepted(SCALED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned choice;

	input_begin(data, size);
	choice = next();
	switch (choice % 5) {
	case 0:
	case 1:
		run_command(choice % 5);
		break;
	case 2:
	case 3:
		compare(choice % 5 == 3);
		break;
	default:
		scale(choice / 5);
		break;
	}
	return 0;
}
