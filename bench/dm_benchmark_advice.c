/* SPDX-License-Identifier: MIT */
/* From measurements to what a volume's configuration should say. */
#include "bench/dm_benchmark_plan.h"

#include <stdio.h>
#include <string.h>

/* What has to be gained before the default is left: below it, noise would choose. */
#define GAIN_CIPHER  1.10 /* AES is what other systems can read, and what is best known */
#define GAIN_SECTOR  1.05
#define GAIN_OPTIONS 1.05
#define TAIL_MAX     1.5 /* no option is worth such a growth of the slowest small requests */
#define SMALL_BLOCK  16384u

/* One way of using dm-crypt. */
struct way {
	const char *cipher;
	uint32_t key_size;
	uint32_t sector_size;
	uint32_t flags;
};

static bool is_way(const struct mortise_dm_measurement *m, const struct way *way)
{
	return !strcmp(m->cipher, way->cipher) && m->key_size == way->key_size &&
	       m->sector_size == way->sector_size && m->flags == way->flags;
}

/* The measurement of b that had the same requests as a, NULL when there is none. */
static const struct mortise_dm_measurement *partner(const struct bench_results *results,
						    const struct mortise_dm_measurement *a,
						    const struct way *b)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *m = &results->list[i];

		if (m->ground == a->ground && m->write == a->write &&
		    m->block_size == a->block_size && m->depth == a->depth &&
		    m->volumes == a->volumes && is_way(m, b))
			return m;
	}
	return NULL;
}

static double latency(const struct mortise_dm_measurement *m)
{
	return m->latency_p99_ns ? (double)m->latency_p99_ns : 1.0;
}

struct comparison {
	unsigned pairs;
	double faster; /* squared: how often a moves what b does, both ways round */
	double tail;   /* mean of p99 of small requests, a to b */
};

static struct comparison compare(const struct bench_results *results,
				 enum mortise_dm_backing ground, const struct way *a,
				 const struct way *b)
{
	double forward = 0, backward = 0, tail = 0;
	struct comparison all = { 0, 1, 1 };
	unsigned small = 0;

	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *of_a = &results->list[i], *of_b;

		if (of_a->ground != ground || !is_way(of_a, a))
			continue;
		of_b = partner(results, of_a, b);
		if (!of_b || of_a->rate.median <= 0 || of_b->rate.median <= 0)
			continue;
		all.pairs++;
		forward += of_a->rate.median / of_b->rate.median;
		backward += of_b->rate.median / of_a->rate.median;
		if (of_a->block_size <= SMALL_BLOCK) {
			small++;
			tail += latency(of_a) / latency(of_b);
		}
	}
	/* Without a logarithm, one fast pair must not outweigh many slow ones: both means count. */
	if (all.pairs)
		all.faster = forward / backward;
	if (small)
		all.tail = tail / small;
	return all;
}

static bool beats(const struct comparison *comparison, double gain)
{
	return comparison->pairs && comparison->faster > gain * gain && comparison->tail < TAIL_MAX;
}

static bool measured(const struct bench_results *results, enum mortise_dm_backing ground,
		     const struct way *way)
{
	for (size_t i = 0; i < results->count; i++)
		if (results->list[i].ground == ground && is_way(&results->list[i], way))
			return true;
	return false;
}

/* The faster of the two sector sizes; 4096 unless 512 is clearly faster. */
static bool choose_sector(const struct bench_results *results, enum mortise_dm_backing ground,
			  struct way *way)
{
	struct way large = *way, small = *way;
	struct comparison comparison;

	large.sector_size = 4096;
	small.sector_size = 512;
	comparison = compare(results, ground, &small, &large);
	*way = large;
	if (beats(&comparison, GAIN_SECTOR) || !measured(results, ground, &large))
		*way = small;
	return measured(results, ground, way);
}

bool bench_choose_cipher(const struct bench_results *results, enum mortise_dm_backing ground,
			 struct bench_cipher *cipher, uint32_t *sector_size)
{
	struct way best = { .cipher = NULL };
	struct bench_cipher one;

	for (size_t i = 0; bench_cipher(i, &one); i++) {
		struct way way = { .cipher = one.name, .key_size = one.key_size };
		struct comparison comparison;

		if (!one.declared || !choose_sector(results, ground, &way))
			continue;
		/* AES with the short key is not advised: it gains little and lasts less long. */
		if (best.cipher && !strcmp(best.cipher, way.cipher))
			continue;
		if (best.cipher) {
			comparison = compare(results, ground, &way, &best);
			if (!beats(&comparison, GAIN_CIPHER))
				continue;
		}
		best = way;
	}
	if (!best.cipher)
		return false;
	*cipher = (struct bench_cipher){ best.cipher, best.key_size, true };
	*sector_size = best.sector_size;
	return true;
}

/* The best set of declared options for a cipher, 0 when none gains enough. */
static uint32_t choose_flags(const struct bench_results *results, enum mortise_dm_backing ground,
			     const struct way *plain, struct comparison *gain)
{
	struct way best = *plain;

	for (size_t i = 0; i < results->count; i++) {
		const struct mortise_dm_measurement *m = &results->list[i];
		struct comparison with_plain, with_best;
		struct way way = *plain;

		way.flags = m->flags;
		if (m->ground != ground || !m->flags || (m->flags & ~BENCH_FLAGS_DECLARED) ||
		    !is_way(m, &way) || way.flags == best.flags)
			continue;
		with_plain = compare(results, ground, &way, plain);
		with_best = compare(results, ground, &way, &best);
		if (beats(&with_plain, GAIN_OPTIONS) && with_best.faster > 1) {
			best = way;
			*gain = with_plain;
		}
	}
	return best.flags;
}

static int percent(const struct comparison *comparison)
{
	double ratio = 1;

	/* The square root, by Newton: good to a thousandth after a few steps. */
	for (int i = 0; i < 20; i++)
		ratio = (ratio + comparison->faster / ratio) / 2;
	return (int)(ratio * 100 + 0.5) - 100;
}

static bool nearest_ground(const struct bench_results *results, enum mortise_dm_backing *ground)
{
	static const enum mortise_dm_backing order[] = { MORTISE_DM_DEVICE, MORTISE_DM_RAM,
							 MORTISE_DM_ZERO };

	for (size_t g = 0; g < sizeof(order) / sizeof(order[0]); g++) {
		*ground = order[g];
		for (size_t i = 0; i < results->count; i++)
			if (results->list[i].ground == *ground && results->list[i].cipher[0])
				return true;
	}
	return false;
}

/* Why this cipher and this sector size, and what the options gain. */
static void explain(const struct bench_results *results, enum mortise_dm_backing ground,
		    const struct way *way, const struct comparison *flags_gain,
		    char reason[static BENCH_REASON_MAX])
{
	const struct way aes = { "aes-xts-plain64", 64, way->sector_size, 0 };
	struct way plain = *way, other = *way;
	struct comparison by_cipher, by_sector;
	int used;

	plain.flags = 0;
	other.flags = 0;
	other.sector_size = way->sector_size == 4096 ? 512 : 4096;
	by_cipher = compare(results, ground, &plain, &aes);
	by_sector = compare(results, ground, &plain, &other);
	used = snprintf(reason, BENCH_REASON_MAX, "Measured over %s.",
			ground == MORTISE_DM_DEVICE ? "the device"
			: ground == MORTISE_DM_RAM  ? "a RAM disk"
						    : "dm-zero");
	if (!strcmp(way->cipher, aes.cipher))
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " No other cipher is 10 %% faster than AES with 512 bits.");
	else if (by_cipher.pairs)
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " It moves %+d %% against AES with 512 bits.",
				 percent(&by_cipher));
	if (by_sector.pairs)
		used += snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
				 " Sectors of %u bytes: %+d %% against %u.", way->sector_size,
				 percent(&by_sector), other.sector_size);
	if (way->flags)
		(void)snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
			       " The options: %+d %% against none.", percent(flags_gain));
	else
		(void)snprintf(reason + used, BENCH_REASON_MAX - (size_t)used,
			       " No option gains 5 %% without slowing the slowest requests.");
}

bool bench_advise(const struct bench_results *results, struct mortise_dm_advice *advice,
		  char reason[static BENCH_REASON_MAX])
{
	struct comparison flags_gain = { 0, 1, 1 };
	enum mortise_dm_backing ground;
	struct bench_cipher cipher;
	uint32_t sector_size;
	struct way way;

	if (!nearest_ground(results, &ground) ||
	    !bench_choose_cipher(results, ground, &cipher, &sector_size))
		return false;
	way = (struct way){ cipher.name, cipher.key_size, sector_size, 0 };
	way.flags = choose_flags(results, ground, &way, &flags_gain);
	explain(results, ground, &way, &flags_gain, reason);
	*advice = (struct mortise_dm_advice){
		.cipher = way.cipher,
		.key_size = way.key_size,
		.sector_size = way.sector_size,
		.flags = way.flags,
		.reason = reason,
	};
	return true;
}
