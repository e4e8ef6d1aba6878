/* SPDX-License-Identifier: MIT */
/* Choosing an Argon2 cost that fits a time and a memory size, from measured costs. */
#include <mortise-bench.h>

#include <inttypes.h>

#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"

#define TARGET_MS_DEFAULT 2000u
#define BISECTIONS	  40u /* more than enough for less than 2^22 KiB */

/* The samples with a given type and number of lanes. */
struct model {
	const struct mortise_argon2_sample *samples;
	size_t count;
	enum mortise_kdf_type type;
	uint32_t lanes;
};

/* Milliseconds of the first pass and of each later one. */
struct passes {
	double first;
	double later;
};

static bool is_sample_of(const struct model *model, const struct mortise_argon2_sample *sample)
{
	return sample->kdf.type == model->type && sample->kdf.lanes == model->lanes &&
	       sample->kdf.time && sample->kdf.memory_kib && sample->time_ms > 0;
}

/* The passes of the sample, scaled to kib of memory. */
static struct passes scale_passes(const struct mortise_argon2_sample *sample, uint32_t kib)
{
	const double factor = (double)kib / sample->kdf.memory_kib;
	const double average = sample->time_ms / sample->kdf.time * factor;
	struct passes passes = { average, average };

	if (sample->first_pass_ms > 0 && sample->first_pass_ms < sample->time_ms &&
	    sample->kdf.time > 1) {
		passes.first = sample->first_pass_ms * factor;
		passes.later =
			(sample->time_ms - sample->first_pass_ms) / (sample->kdf.time - 1) * factor;
	}
	return passes;
}

/* Interpolates linearly between two samples. Outside, scales the nearest sample. */
static bool find_passes(const struct model *model, uint32_t kib, struct passes *passes)
{
	const struct mortise_argon2_sample *below = NULL, *above = NULL;
	struct passes low, high;
	double part;

	for (size_t i = 0; i < model->count; i++) {
		const struct mortise_argon2_sample *sample = &model->samples[i];
		const uint32_t memory = sample->kdf.memory_kib;

		if (!is_sample_of(model, sample))
			continue;
		if (memory <= kib && (!below || memory > below->kdf.memory_kib))
			below = sample;
		if (memory > kib && (!above || memory < above->kdf.memory_kib))
			above = sample;
	}
	if (!below && !above)
		return false;
	if (!below || !above) {
		*passes = scale_passes(below ? below : above, kib);
		return true;
	}
	low = scale_passes(below, below->kdf.memory_kib);
	high = scale_passes(above, above->kdf.memory_kib);
	part = (double)(kib - below->kdf.memory_kib) /
	       (double)(above->kdf.memory_kib - below->kdf.memory_kib);
	passes->first = low.first + (high.first - low.first) * part;
	passes->later = low.later + (high.later - low.later) * part;
	return true;
}

/* Milliseconds of count passes; negative without samples. */
static double predict_ms(const struct model *model, uint32_t kib, uint32_t count)
{
	struct passes passes;

	if (!find_passes(model, kib, &passes))
		return -1;
	return passes.first + (count - 1) * passes.later;
}

static bool fits_time(const struct model *model, uint32_t kib, double ms)
{
	const double time = predict_ms(model, kib, KEYS_ARGON2_TIME_MIN);

	return time >= 0 && time <= ms;
}

/* The most memory, at most max, with which the minimum of passes takes at most ms; 0: none. */
static uint32_t find_memory(const struct model *model, uint32_t max, double ms)
{
	uint32_t low = 8 * model->lanes, high = max;

	if (low < KEYS_ARGON2_MEMORY_MIN)
		low = KEYS_ARGON2_MEMORY_MIN;
	if (high < low || !fits_time(model, low, ms))
		return 0;
	if (fits_time(model, high, ms))
		return high;
	for (unsigned i = 0; i < BISECTIONS && high - low > 1; i++) {
		uint32_t middle = low + (high - low) / 2;

		if (fits_time(model, middle, ms))
			low = middle;
		else
			high = middle;
	}
	/* Round numbers are easier to copy and to compare. */
	return low >= 16384 ? low / 1024 * 1024 : low / 32 * 32;
}

static uint32_t find_time(const struct model *model, uint32_t kib, double ms)
{
	struct passes passes;
	double count;

	if (!find_passes(model, kib, &passes) || passes.later <= 0)
		return KEYS_ARGON2_TIME_MIN;
	count = (ms - passes.first) / passes.later + 1;
	if (count < KEYS_ARGON2_TIME_MIN)
		return KEYS_ARGON2_TIME_MIN;
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* Chooses a cost for one number of lanes; false: no cost fits. */
static bool choose_for_lanes(const struct model *model, const struct mortise_argon2_target *target,
			     struct mortise_kdf *kdf)
{
	*kdf = (struct mortise_kdf){ .type = model->type, .lanes = model->lanes };
	kdf->memory_kib = find_memory(model, target->memory_kib, target->time_ms);
	if (!kdf->memory_kib)
		return false;
	kdf->time = KEYS_ARGON2_TIME_MIN;
	if (kdf->memory_kib == target->memory_kib)
		kdf->time = find_time(model, kdf->memory_kib, target->time_ms);
	return true;
}

static bool is_stronger(const struct mortise_kdf *a, const struct mortise_kdf *b)
{
	if (a->memory_kib != b->memory_kib)
		return a->memory_kib > b->memory_kib;
	return a->time > b->time;
}

enum mortise_code mortise_argon2_choose(const struct mortise_argon2_sample *samples, size_t count,
					const struct mortise_argon2_target *target,
					struct mortise_kdf *kdf, double *expected_ms,
					struct mortise_error *err)
{
	struct mortise_argon2_target wanted = { .struct_size = sizeof(wanted) };
	struct mortise_kdf best = { .memory_kib = 0 }, candidate;
	enum mortise_code code = MORTISE_OK;

	if (target)
		code = sized_input(SIZED(mortise_argon2_target), &wanted, target, err);
	if (code)
		return code;
	if (!wanted.time_ms)
		wanted.time_ms = TARGET_MS_DEFAULT;
	if (!wanted.memory_kib)
		wanted.memory_kib = KEYS_KDF_MEMORY_DEFAULT;
	if (wanted.memory_kib > KEYS_ARGON2_MEMORY_MAX)
		wanted.memory_kib = KEYS_ARGON2_MEMORY_MAX;
	for (uint32_t lanes = 1; lanes <= KEYS_ARGON2_LANES_MAX; lanes++) {
		const struct model model = { samples, count, wanted.type, lanes };

		if ((wanted.cpus && lanes > wanted.cpus) ||
		    !choose_for_lanes(&model, &wanted, &candidate))
			continue;
		if (is_stronger(&candidate, &best)) {
			best = candidate;
			*expected_ms = predict_ms(&model, best.memory_kib, best.time);
		}
	}
	if (!best.memory_kib)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "no cost of %s fits into %" PRIu32 " ms and %" PRIu32
				 " KiB, according to the measurements; allow more time or memory",
				 mortise_kdf_name(wanted.type), wanted.time_ms, wanted.memory_kib);
	*kdf = best;
	return MORTISE_OK;
}
