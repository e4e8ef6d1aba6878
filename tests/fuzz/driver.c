/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzzer of this directory without a fuzzing engine: on every file of a corpus, then on
 * mutations, whose sequence is the same in each run. To run for hours with libFuzzer, use clang:
 *   cmake -B build/fuzz -DCMAKE_C_COMPILER=clang -DMORTISE_FUZZ=ON
 *   build/fuzz/tests/fuzz_kms -max_total_time=3600 COPY-OF-A-CORPUS
 *
 *   fuzz_NAME CORPUS [MUTATIONS]
 *
 * MUTATIONS: stop after this number (default: no limit). FUZZ_SECONDS: stop after this processor
 * time (default: 2), so that a busy machine tries as many. The run fails if the code under test
 * accepted no input of some kind: a fuzzer that never passes the first check tests little.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX   8192u
#define INPUTS_MAX  64u
#define CHANGES_MAX 8u

struct input {
	uint8_t bytes[INPUT_MAX];
	size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;
static size_t accepted[FUZZ_KINDS_MAX];
static uint64_t state = 0x9e3779b97f4a7c15;

/* xorshift64 (Marsaglia 2003). */
static size_t below(size_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return limit ? (size_t)(state % limit) : 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_corpus(const char *path)
{
	struct dirent **names;
	char file[4096];
	int count = scandir(path, &names, NULL, by_name);

	for (int i = 0; i < count; i++) {
		struct input *input = &inputs[input_count];
		FILE *stream = NULL;

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && input_count < INPUTS_MAX)
			stream = fopen(file, "re");
		if (stream) {
			input->size = fread(input->bytes, 1, INPUT_MAX, stream);
			input_count++;
			fclose(stream);
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

static void flip(struct input *input)
{
	if (input->size)
		input->bytes[below(input->size)] ^= (uint8_t)(1u << below(8));
}

/* Bytes that are special to the parsers. */
static void overwrite(struct input *input)
{
	static const uint8_t telling[] = "\x00\x7f\x80\xff\x0a\x22\x5b\x7b\x25\x3a\x08";

	if (input->size)
		input->bytes[below(input->size)] = telling[below(sizeof(telling))];
}

static void cut(struct input *input)
{
	input->size = below(input->size + 1);
}

static void take_out(struct input *input)
{
	size_t at = below(input->size + 1), size = below(input->size - at + 1);

	memmove(input->bytes + at, input->bytes + at + size, input->size - at - size);
	input->size -= size;
}

/* Inserts a piece of one input into another, or into itself. */
static void splice(struct input *input)
{
	const struct input *other = &inputs[below(input_count)];
	size_t from = below(other->size + 1), size = below(other->size - from + 1);
	size_t at = below(input->size + 1);

	if (size > INPUT_MAX - input->size)
		size = INPUT_MAX - input->size;
	memmove(input->bytes + at + size, input->bytes + at, input->size - at);
	memcpy(input->bytes + at, other->bytes + from, size);
	input->size += size;
}

static void mutate(struct input *input)
{
	static void (*const changes[])(struct input *) = { flip, overwrite, overwrite,
							   cut,	 take_out,  splice };

	for (size_t left = 1 + below(CHANGES_MAX); left > 0; left--)
		changes[below(sizeof(changes) / sizeof(changes[0]))](input);
}

void fuzz_accepted(unsigned kind)
{
	accepted[kind]++;
}

/* Returns the exit status. */
static int report(size_t mutations)
{
	int status = 0;

	printf("%zu inputs, %zu mutations; accepted:", input_count, mutations);
	for (unsigned kind = 0; fuzz_kinds[kind]; kind++) {
		printf("%s %zu %s", kind ? "," : "", accepted[kind], fuzz_kinds[kind]);
		if (!accepted[kind])
			status = 1;
	}
	printf("\n");
	return status;
}

/* Copies the input to a buffer of its exact size: sanitizers detect reads beyond its end. */
static void run(const struct input *input)
{
	uint8_t *copy = malloc(input->size ? input->size : 1);

	if (!copy)
		abort();
	memcpy(copy, input->bytes, input->size);
	LLVMFuzzerTestOneInput(copy, input->size);
	free(copy);
}

static bool time_left(const struct timespec *start, long seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec - start->tv_sec < seconds ||
	       (now.tv_sec - start->tv_sec == seconds && now.tv_nsec < start->tv_nsec);
}

int main(int argc, char **argv)
{
	size_t limit = argc > 2 ? strtoul(argv[2], NULL, 10) : SIZE_MAX, mutations = 0;
	const char *given = getenv("FUZZ_SECONDS");
	long seconds = given ? strtol(given, NULL, 10) : 2;
	static struct input input;
	struct timespec start;

	if (argc > 1)
		read_corpus(argv[1]);
	if (!input_count) {
		fprintf(stderr, "usage: %s CORPUS [MUTATIONS]\n", argv[0]);
		return 1;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	for (size_t i = 0; i < input_count; i++)
		run(&inputs[i]);
	for (; mutations < limit && time_left(&start, seconds); mutations++) {
		input = inputs[below(input_count)];
		mutate(&input);
		run(&input);
	}
	return report(mutations);
}
