/* SPDX-License-Identifier: MIT */
/*
 * Measures the speed of Argon2id on this machine: each kernel of keys/argon2/, libargon2, and the
 * same memory accesses without the compression, alternating in one run. The options are in usage().
 * MORTISE_ARGON2 selects one kernel instead of all.
 */
#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/argon2/argon2.h"
#include "keys/argon2/kernel.h"
#include "base/clock.h"
#include "base/machine.h"

#define CONTENDERS_MAX 8u
#define ROUNDS_MAX     101u

struct options {
	uint32_t memory_kib, passes, lanes; /* lanes 0: 1, 2 and 4 in turn */
	unsigned rounds;
};

/* kernel NULL: libargon2. */
struct contender {
	const char *name;
	const struct keys_argon2_kernel *kernel;
	double ms[ROUNDS_MAX];	  /* all passes */
	double later[ROUNDS_MAX]; /* ns for each block of the passes after the first */
};

static double ms_since(uint64_t start)
{
	return (double)(clock_now_ns() - start) / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
static double find_median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

/* The median, or 0 if the middle half of the sorted values spreads by more than a quarter of it. */
static double find_usable_median(double *values, unsigned count)
{
	const double median = find_median(values, count);

	return values[count * 3 / 4] - values[count / 4] <= median / 4 ? median : 0;
}

/*
 * A lower bound for any Argon2: reads the 16 lines of the block and of its reference block, and
 * writes those of the block. Its first word depends on all of them, as the next address does.
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

/* The host of a virtual machine may have reclaimed free memory; returning it takes time. */
static void touch_memory(size_t size)
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

static bool measure_once(const struct contender *contender, const struct mortise_kdf *kdf,
			 double *ms)
{
	static const char passphrase[] = "correct horse", salt[] = "0123456789abcdef";
	const struct keys_argon2_input input = {
		.passphrase = { passphrase, strlen(passphrase) },
		.salt = { salt, strlen(salt) },
		.kernel = contender->kernel,
	};
	uint8_t tag[32];
	uint64_t start;
	bool ok;

	touch_memory((size_t)kdf->memory_kib * 1024);
	start = clock_now_ns();
	if (contender->kernel)
		ok = !keys_argon2(kdf, &input, tag, sizeof(tag), NULL);
	else
		ok = argon2id_hash_raw(kdf->time, kdf->memory_kib, kdf->lanes, passphrase,
				       strlen(passphrase), salt, strlen(salt), tag,
				       sizeof(tag)) == ARGON2_OK;
	*ms = ms_since(start);
	return ok;
}

/* The kernel named by MORTISE_ARGON2, or all kernels; then libargon2; then the lower bound. */
static unsigned list_contenders(struct contender *contenders)
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

/* Both runs follow each other, so that both meet the same load. */
static bool measure_round(struct contender *contender, const struct mortise_kdf *kdf,
			  unsigned round)
{
	struct mortise_kdf first = *kdf;
	double first_ms;

	first.time = 1;
	if (!measure_once(contender, kdf, &contender->ms[round]))
		return false;
	if (kdf->time == 1)
		return true;
	if (!measure_once(contender, &first, &first_ms))
		return false;
	contender->later[round] =
		(contender->ms[round] - first_ms) * 1e6 / kdf->memory_kib / (kdf->time - 1);
	return true;
}

static void print_contender(struct contender *contender, const struct options *options,
			    double reference, double floor_ns)
{
	const double all = find_median(contender->ms, options->rounds);
	const double later = find_usable_median(contender->later, options->rounds);

	printf("%-10s %9.2f %9.2f %8.2fx", contender->name, all, contender->ms[0], reference / all);
	if (options->passes > 1 && later > 0)
		printf(" %14.0f", later);
	else if (options->passes > 1)
		printf(" %14s", "too noisy");
	if (later > 0 && floor_ns > 0)
		printf(" %8.2fx", later / floor_ns);
	putchar('\n');
}

static bool compare_contenders(const struct options *options, uint32_t lanes)
{
	const struct mortise_kdf kdf = { .type = MORTISE_KDF_ARGON2ID,
					 .time = options->passes,
					 .memory_kib = options->memory_kib,
					 .lanes = lanes };
	static struct contender contenders[CONTENDERS_MAX];
	double reference, floor_ns;
	unsigned count;

	memset(contenders, 0, sizeof(contenders));
	count = list_contenders(contenders);
	for (unsigned round = 0; round < options->rounds; round++)
		for (unsigned i = 0; i < count; i++)
			if (!measure_round(&contenders[i], &kdf, round))
				return false;
	reference = find_median(contenders[count - 2].ms, options->rounds);
	floor_ns = find_usable_median(contenders[count - 1].later, options->rounds);
	printf("\n%u KiB, %u passes, %u lanes\n%-10s %9s %9s %9s %14s %9s\n", kdf.memory_kib,
	       kdf.time, lanes, "", "median ms", "min ms", "libargon2", "ns/later block",
	       "(memory)");
	for (unsigned i = 0; i < count; i++)
		print_contender(&contenders[i], options, reference, floor_ns);
	return true;
}

/* The blocks fit into the L1 cache, so that only the compression is measured. */
static void measure_kernel(const struct keys_argon2_kernel *kernel)
{
	static _Alignas(64) uint64_t blocks[8][KEYS_ARGON2_BLOCK_WORDS];
	static _Alignas(64) uint64_t scratch[KEYS_ARGON2_BLOCK_WORDS];
	const unsigned repeats = 2000, batch = 64;
	double ns, least = 1e9;
	uint64_t start;

	for (unsigned r = 0; r < repeats; r++) {
		start = clock_now_ns();
		for (unsigned i = 0; i < batch; i++)
			kernel->fill_over(blocks[(i + 1) % 8], blocks[i % 8], blocks[(i + 5) % 8],
					  scratch);
		ns = (double)(clock_now_ns() - start) / batch;
		if (ns < least)
			least = ns;
	}
	printf("%-10s %6.1f ns per block in the L1 cache\n", kernel->name, least);
}

static int usage(void)
{
	fputs("usage: argon2 [-m KIB] [-t PASSES] [-p LANES] [-n ROUNDS]\n"
	      "  defaults: 65536 KiB, 4 passes, 5 rounds, with 1, then 2, then 4 lanes\n",
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
		fprintf(stderr, "this processor does not support the kernel %s\n", only);
		return 1;
	}
	printf("%u processors, fastest kernel %s\n", machine_cpus(), keys_argon2_kernel());
	for (unsigned i = 0; (kernel = keys_argon2_kernel_at(i)); i++)
		if (!only || !strcmp(only, kernel->name))
			measure_kernel(kernel);
	if (options.lanes)
		return !compare_contenders(&options, options.lanes);
	return !(compare_contenders(&options, 1) && compare_contenders(&options, 2) &&
		 compare_contenders(&options, 4));
}
