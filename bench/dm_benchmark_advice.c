/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_advice.h"

#include <stdio.h>
#include <string.h>

/* The gain that is required to recommend another value than the default: noise is smaller. */
#define GAIN_CIPHER  1.10 /* other systems can read AES, and AES is the best known cipher */
#define GAIN_SECTOR  1.05
#define GAIN_OPTIONS 1.05
#define TAIL_MAX     1.5 /* no gain is worth a larger growth of the p99 of small requests */
#define SMALL_BLOCK  16384u

/* Parameters of dm-crypt. */
struct variant {
	const char *cipher;
	uint32_t key_size;
	uint32_t sector_size;
	uint32_t flags;
};

static bool is_variant(const struct mortise_dm_measurement *m, const struct variant *variant)
{
	return !strcmp(m->cipher, variant->cipher) && m->key_size == variant->key_size &&
	       m->sector_size == variant->sector_size && m->flags == variant->flags;
}

/* Finds the measurement of variant b with the same requests as a; NULL without one. */
static const struct mortise_dm_measurement *find_counterpart(const struct bench_results *results,
							     const struct mortise_dm_measurement *a,
							     const struct variant *b)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *m = &results->list[i];

		if (m->backing == a->backing && m->write == a->write &&
		    m->block_size == a->block_size && m->depth == a->depth &&
		    m->volumes == a->volumes && is_variant(m, b))
			return m;
	}
	return NULL;
}

static double get_p99(const struct mortise_dm_measurement *m)
{
	return m->latency_p99_ns ? (double)m->latency_p99_ns : 1.0;
}

struct comparison {
	unsigned pairs;
	double faster; /* square of the ratio of a's throughput to b's */
	double tail;   /* mean of the ratios of a's p99 latency of small requests to b's */
};

static struct comparison compare_variants(const struct bench_results *results,
					  enum mortise_dm_backing backing, const struct variant *a,
					  const struct variant *b)
{
	double forward = 0, backward = 0, tail = 0;
	struct comparison all = { 0, 1, 1 };
	unsigned small = 0;

	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *of_a = &results->list[i], *of_b;

		if (of_a->backing != backing || !is_variant(of_a, a))
			continue;
		of_b = find_counterpart(results, of_a, b);
		if (!of_b || of_a->rate.median <= 0 || of_b->rate.median <= 0)
			continue;
		all.pairs++;
		forward += of_a->rate.median / of_b->rate.median;
		backward += of_b->rate.median / of_a->rate.median;
		if (of_a->block_size <= SMALL_BLOCK) {
			small++;
			tail += get_p99(of_a) / get_p99(of_b);
		}
	}
	/*
	 * The mean of the ratios divided by the mean of the inverse ratios: like the square of the
	 * geometric mean, one fast pair does not outweigh many slow ones, but no logarithm is needed.
	 */
	if (all.pairs)
		all.faster = forward / backward;
	if (small)
		all.tail = tail / small;
	return all;
}

static bool is_better(const struct comparison *comparison, double gain)
{
	return comparison->pairs && comparison->faster > gain * gain && comparison->tail < TAIL_MAX;
}

static bool was_measured(const struct bench_results *results, enum mortise_dm_backing backing,
			 const struct variant *variant)
{
	for (size_t i = 0; i < results->count; i++)
		if (results->list[i].backing == backing && is_variant(&results->list[i], variant))
			return true;
	return false;
}

/* Chooses 4096, unless 512 is clearly faster or the only one measured. */
static bool choose_sector_size(const struct bench_results *results, enum mortise_dm_backing backing,
			       struct variant *variant)
{
	struct variant large = *variant, small = *variant;
	struct comparison comparison;

	large.sector_size = 4096;
	small.sector_size = 512;
	comparison = compare_variants(results, backing, &small, &large);
	*variant = large;
	if (is_better(&comparison, GAIN_SECTOR) || !was_measured(results, backing, &large))
		*variant = small;
	return was_measured(results, backing, variant);
}

bool bench_choose_cipher(const struct bench_results *results, enum mortise_dm_backing backing,
			 struct bench_cipher *cipher, uint32_t *sector_size)
{
	struct variant best = { .cipher = NULL };
	struct bench_cipher one;

	for (size_t i = 0; bench_cipher(i, &one); i++) {
		struct variant variant = { .cipher = one.name, .key_size = one.key_size };
		struct comparison comparison;

		if (!one.declared || !choose_sector_size(results, backing, &variant))
			continue;
		/* AES with the short key gains little and has a smaller security margin. */
		if (best.cipher && !strcmp(best.cipher, variant.cipher))
			continue;
		if (best.cipher) {
			comparison = compare_variants(results, backing, &variant, &best);
			if (!is_better(&comparison, GAIN_CIPHER))
				continue;
		}
		best = variant;
	}
	if (!best.cipher)
		return false;
	*cipher = (struct bench_cipher){ best.cipher, best.key_size, true };
	*sector_size = best.sector_size;
	return true;
}

/* The best set of options that a configuration can name; 0 if none gains enough. */
static uint32_t choose_flags(const struct bench_results *results, enum mortise_dm_backing backing,
			     const struct variant *plain, struct comparison *gain)
{
	struct variant best = *plain;

	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *m = &results->list[i];
		struct comparison with_plain, with_best;
		struct variant variant = *plain;

		variant.flags = m->flags;
		if (m->backing != backing || !m->flags || (m->flags & ~BENCH_FLAGS_DECLARED) ||
		    !is_variant(m, &variant) || variant.flags == best.flags)
			continue;
		with_plain = compare_variants(results, backing, &variant, plain);
		with_best = compare_variants(results, backing, &variant, &best);
		if (is_better(&with_plain, GAIN_OPTIONS) && with_best.faster > 1) {
			best = variant;
			*gain = with_plain;
		}
	}
	return best.flags;
}

static int get_percent(const struct comparison *comparison)
{
	double ratio = 1;

	/* Newton's method for the square root: exact to a thousandth after a few steps. */
	for (int i = 0; i < 20; i++)
		ratio = (ratio + comparison->faster / ratio) / 2;
	return (int)(ratio * 100 + 0.5) - 100;
}

static bool choose_backing(const struct bench_results *results, enum mortise_dm_backing *backing)
{
	static const enum mortise_dm_backing order[] = { MORTISE_DM_DEVICE, MORTISE_DM_RAM,
							 MORTISE_DM_ZERO };

	for (size_t g = 0; g < sizeof(order) / sizeof(order[0]); g++) {
		*backing = order[g];
		for (size_t i = 0; i < results->count; i++)
			if (results->list[i].backing == *backing && results->list[i].cipher[0])
				return true;
	}
	return false;
}

/* Explains the choice of cipher, sector size and options. */
static void write_reason(const struct bench_results *results, enum mortise_dm_backing backing,
			 const struct variant *variant, const struct comparison *flags_gain,
			 char reason[static BENCH_REASON_MAX])
{
	const struct variant aes = { "aes-xts-plain64", 64, variant->sector_size, 0 };
	struct variant plain = *variant, other = *variant;
	struct comparison by_cipher, by_sector;
	int used;

	plain.flags = 0;
	other.flags = 0;
	other.sector_size = variant->sector_size == 4096 ? 512 : 4096;
	by_cipher = compare_variants(results, backing, &plain, &aes);
	by_sector = compare_variants(results, backing, &plain, &other);
	used = snprintf(reason, BENCH_REASON_MAX, "Measured on %s.",
			backing == MORTISE_DM_DEVICE ? "the given device"
			: backing == MORTISE_DM_RAM  ? "a RAM disk"
						     : "dm-zero");
	if (!strcmp(variant->cipher, aes.cipher))
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " No other cipher is 10%% faster than AES with 512 bits.");
	else if (by_cipher.pairs)
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " Throughput compared with AES with 512 bits: %+d%%.",
				 get_percent(&by_cipher));
	if (by_sector.pairs)
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " Sectors of %u bytes compared with %u: %+d%%.",
				 variant->sector_size, other.sector_size, get_percent(&by_sector));
	if (variant->flags)
		(void)snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
			       " The options compared with no options: %+d%%.",
			       get_percent(flags_gain));
	else
		(void)snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
			       " No options gain 5%% without slowing down the slowest requests.");
}

bool bench_advise(const struct bench_results *results, struct mortise_dm_advice *advice,
		  char reason[static BENCH_REASON_MAX])
{
	struct comparison flags_gain = { 0, 1, 1 };
	enum mortise_dm_backing backing;
	struct bench_cipher cipher;
	uint32_t sector_size;
	struct variant variant;

	if (!choose_backing(results, &backing) ||
	    !bench_choose_cipher(results, backing, &cipher, &sector_size))
		return false;
	variant = (struct variant){ cipher.name, cipher.key_size, sector_size, 0 };
	variant.flags = choose_flags(results, backing, &variant, &flags_gain);
	write_reason(results, backing, &variant, &flags_gain, reason);
	*advice = (struct mortise_dm_advice){
		.cipher = variant.cipher,
		.key_size = variant.key_size,
		.sector_size = variant.sector_size,
		.flags = variant.flags,
		.reason = reason,
	};
	return true;
}
