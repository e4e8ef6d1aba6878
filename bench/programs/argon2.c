/* SPDX-License-Identifier: MIT */
/*
 * How fast Argon2id is here: our kernels, libargon2, and the same memory accesses without the
 * compression, in turn in one run. See usage() for the options; MORTISE_ARGON2 names one kernel
 * to measure instead of all.
 */
#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "keys/argon2/argon2.h"
#include "keys/argon2/kernel.h"
#include "base/machine.h"

#define CONTENDERS_MAX 8u
#define ROUNDS_MAX     101u

struct options {
	uint32_t memory_kib, passes, lanes; /* lanes 0: 1, 2 and 4 in turn */
	unsigned rounds;
};

/* libargon2 when there is no kernel. */
struct contender {
	const char *name;
	const struct keys_argon2_kernel *kernel;
	double ms[ROUNDS_MAX], first_ms[ROUNDS_MAX]; /* all passes; one pass */
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

/*
 * What no Argon2 can be faster than: each block's 16 lines and its reference's are read, its
 * own are written, and its first word hangs on all of them, as the next address does.
 */
static void access_only(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
			uint64_t *scratch)
{
	uint64_t all = 0;

	(void)scratch;
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i += 8) {
		to[i] ^= previous[i] ^ reference[i];
		all ^= to[i];
	}
	to[0] = all * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct keys_argon2_kernel floor_kernel = {
	.name = "(memory)",
	.fill = access_only,
	.fill_over = access_only,
};

/* Memory that was not used lately may be with the host, which takes a while to give it back. */
static void warm(size_t size)
{
	uint8_t *memory;

	size += size / 3;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return;
	(void)madvise(memory, size, MADV_HUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	munmap(memory, size);
}

static bool run(const struct contender *contender, const struct mortise_kdf *kdf, double *ms)
{
	static const char passphrase[] = "correct horse", salt[] = "0123456789abcdef";
	const struct keys_argon2_input input = {
		.passphrase = { passphrase, strlen(passphrase) },
		.salt = { salt, strlen(salt) },
		.kernel = contender->kernel,
	};
	uint8_t tag[32];
	double start;
	bool well;

	warm((size_t)kdf->memory_kib * 1024);
	start = now_ms();
	if (contender->kernel)
		well = !keys_argon2(kdf, &input, tag, sizeof(tag), NULL);
	else
		well = argon2id_hash_raw(kdf->time, kdf->memory_kib, kdf->lanes, passphrase,
					 strlen(passphrase), salt, strlen(salt), tag,
					 sizeof(tag)) == ARGON2_OK;
	*ms = now_ms() - start;
	return well;
}

/* MORTISE_ARGON2 or all; then libargon2; then the floor. */
static unsigned line_up(struct contender *contenders)
{
	const char *only = getenv("MORTISE_ARGON2");
	const struct keys_argon2_kernel *kernel;
	unsigned count = 0;

	for (unsigned i = 0; count < CONTENDERS_MAX - 2 && (kernel = keys_argon2_kernel_at(i)); i++)
		if (!only || !strcmp(only, kernel->name))
			contenders[count++] =
				(struct contender){ .name = kernel->name, .kernel = kernel };
	contenders[count++].name = "libargon2";
	contenders[count++] =
		(struct contender){ .name = floor_kernel.name, .kernel = &floor_kernel };
	return count;
}

static bool compare(const struct options *options, uint32_t lanes)
{
	const struct mortise_kdf kdf = { .type = MORTISE_KDF_ARGON2ID,
					 .time = options->passes,
					 .memory_kib = options->memory_kib,
					 .lanes = lanes };
	const double later = (double)options->memory_kib * (options->passes - 1) / 1e6;
	static struct contender contenders[CONTENDERS_MAX];
	struct mortise_kdf first = kdf;
	double all, one, reference, floor_ns;
	unsigned count;

	memset(contenders, 0, sizeof(contenders));
	count = line_up(contenders);
	first.time = 1;
	for (unsigned round = 0; round < options->rounds; round++)
		for (unsigned i = 0; i < count; i++)
			if (!run(&contenders[i], &kdf, &contenders[i].ms[round]) ||
			    !run(&contenders[i], &first, &contenders[i].first_ms[round]))
				return false;
	reference = median(contenders[count - 2].ms, options->rounds);
	floor_ns = (median(contenders[count - 1].ms, options->rounds) -
		    median(contenders[count - 1].first_ms, options->rounds)) /
		   later;
	printf("\n%u KiB, %u passes, %u lanes\n%-10s %9s %9s %9s %14s %9s\n", kdf.memory_kib,
	       kdf.time, lanes, "", "median ms", "min ms", "libargon2", "ns/later block",
	       "(memory)");
	for (unsigned i = 0; i < count; i++) {
		all = median(contenders[i].ms, options->rounds);
		one = median(contenders[i].first_ms, options->rounds);
		printf("%-10s %9.2f %9.2f %8.2fx", contenders[i].name, all, contenders[i].ms[0],
		       reference / all);
		if (options->passes > 1)
			printf(" %14.0f %8.2fx", (all - one) / later,
			       (all - one) / later / floor_ns);
		putchar('\n');
	}
	return true;
}

/* Blocks that fit the first cache, so that only the compression counts. */
static void measure_kernel(const struct keys_argon2_kernel *kernel)
{
	static _Alignas(64) uint64_t blocks[8][KEYS_ARGON2_BLOCK_WORDS];
	static _Alignas(64) uint64_t scratch[KEYS_ARGON2_BLOCK_WORDS];
	const unsigned repeats = 2000, batch = 64;
	double start, ns, least = 1e9;

	for (unsigned r = 0; r < repeats; r++) {
		start = now_ms();
		for (unsigned i = 0; i < batch; i++)
			kernel->fill_over(blocks[(i + 1) % 8], blocks[i % 8], blocks[(i + 5) % 8],
					  scratch);
		ns = (now_ms() - start) * 1e6 / batch;
		if (ns < least)
			least = ns;
	}
	printf("%-10s %6.1f ns a block in the first cache\n", kernel->name, least);
}

static int usage(void)
{
	fputs("usage: argon2 [-m KIB] [-t PASSES] [-p LANES] [-n ROUNDS]\n"
	      "  defaults: 65536 KiB, 4 passes, 1, 2 and 4 lanes in turn, 5 rounds\n",
	      stderr);
	return 1;
}

int main(int argc, char **argv)
{
	struct options options = { .memory_kib = 65536, .passes = 4, .rounds = 5 };
	const struct keys_argon2_kernel *kernel;
	const char *only = getenv("MORTISE_ARGON2");
	unsigned long value;
	int option;

	while ((option = getopt(argc, argv, "m:t:p:n:")) != -1) {
		value = optarg ? strtoul(optarg, NULL, 10) : 0;
		if (!value || value > UINT32_MAX)
			return usage();
		if (option == 'm')
			options.memory_kib = (uint32_t)value;
		else if (option == 't')
			options.passes = (uint32_t)value;
		else if (option == 'p')
			options.lanes = (uint32_t)value;
		else if (option == 'n' && value <= ROUNDS_MAX)
			options.rounds = (unsigned)value;
		else
			return usage();
	}
	if (only && !keys_argon2_select(only)) {
		fprintf(stderr, "this processor has no kernel called %s\n", only);
		return 1;
	}
	printf("%u processors, fastest kernel %s\n", machine_cpus(), keys_argon2_kernel());
	for (unsigned i = 0; (kernel = keys_argon2_kernel_at(i)); i++)
		if (!only || !strcmp(only, kernel->name))
			measure_kernel(kernel);
	if (options.lanes)
		return !compare(&options, options.lanes);
	return !(compare(&options, 1) && compare(&options, 2) && compare(&options, 4));
}
