/* SPDX-License-Identifier: MIT */
/* From measured Argon2 costs to the one that fits a time and a memory. */
#include <mortise-bench.h>

#include <inttypes.h>

#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"

#define TARGET_MS_DEFAULT 2000u
#define BISECTIONS	  40u /* of less than 2^22 KiB */

/* The samples with one number of lanes. */
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

static bool belongs(const struct model *model, const struct mortise_argon2_sample *sample)
{
	return sample->kdf.type == model->type && sample->kdf.lanes == model->lanes &&
	       sample->kdf.time && sample->kdf.memory_kib && sample->time_ms > 0;
}

/* The sample's passes, for kib of memory instead of its own. */
static struct passes scaled(const struct mortise_argon2_sample *sample, uint32_t kib)
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

/* Between two samples on the line through them; beyond, in proportion to the nearest. */
static bool passes_at(const struct model *model, uint32_t kib, struct passes *passes)
{
	const struct mortise_argon2_sample *below = NULL, *above = NULL;
	struct passes low, high;
	double part;

	for (size_t i = 0; i < model->count; i++) {
		const struct mortise_argon2_sample *sample = &model->samples[i];
		const uint32_t its = sample->kdf.memory_kib;

		if (!belongs(model, sample))
			continue;
		if (its <= kib && (!below || its > below->kdf.memory_kib))
			below = sample;
		if (its > kib && (!above || its < above->kdf.memory_kib))
			above = sample;
	}
	if (!below && !above)
		return false;
	if (!below || !above) {
		*passes = scaled(below ? below : above, kib);
		return true;
	}
	low = scaled(below, below->kdf.memory_kib);
	high = scaled(above, above->kdf.memory_kib);
	part = (double)(kib - below->kdf.memory_kib) /
	       (double)(above->kdf.memory_kib - below->kdf.memory_kib);
	passes->first = low.first + (high.first - low.first) * part;
	passes->later = low.later + (high.later - low.later) * part;
	return true;
}

/* Negative when the model knows nothing. */
static double expected(const struct model *model, uint32_t kib, uint32_t count)
{
	struct passes passes;

	if (!passes_at(model, kib, &passes))
		return -1;
	return passes.first + (count - 1) * passes.later;
}

static bool fits(const struct model *model, uint32_t kib, double ms)
{
	const double time = expected(model, kib, KEYS_ARGON2_TIME_MIN);

	return time >= 0 && time <= ms;
}

/* The most memory, up to most, with which the fewest passes stay within ms; 0 for none. */
static uint32_t most_memory(const struct model *model, uint32_t most, double ms)
{
	uint32_t low = 8 * model->lanes, high = most;

	if (low < KEYS_ARGON2_MEMORY_MIN)
		low = KEYS_ARGON2_MEMORY_MIN;
	if (high < low || !fits(model, low, ms))
		return 0;
	if (fits(model, high, ms))
		return high;
	for (unsigned i = 0; i < BISECTIONS && high - low > 1; i++) {
		uint32_t middle = low + (high - low) / 2;

		if (fits(model, middle, ms))
			low = middle;
		else
			high = middle;
	}
	/* Round figures are easier to paste and to compare. */
	return low >= 16384 ? low / 1024 * 1024 : low / 32 * 32;
}

static uint32_t most_passes(const struct model *model, uint32_t kib, double ms)
{
	struct passes passes;
	double count;

	if (!passes_at(model, kib, &passes) || passes.later <= 0)
		return KEYS_ARGON2_TIME_MIN;
	count = (ms - passes.first) / passes.later + 1;
	if (count < KEYS_ARGON2_TIME_MIN)
		return KEYS_ARGON2_TIME_MIN;
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* Fills *kdf for one number of lanes; false: nothing fits. */
static bool choose_for_lanes(const struct model *model, const struct mortise_argon2_target *target,
			     struct mortise_kdf *kdf)
{
	*kdf = (struct mortise_kdf){ .type = model->type, .lanes = model->lanes };
	kdf->memory_kib = most_memory(model, target->memory_kib, target->time_ms);
	if (!kdf->memory_kib)
		return false;
	kdf->time = KEYS_ARGON2_TIME_MIN;
	if (kdf->memory_kib == target->memory_kib)
		kdf->time = most_passes(model, kdf->memory_kib, target->time_ms);
	return true;
}

static bool is_more(const struct mortise_kdf *a, const struct mortise_kdf *b)
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
		if (is_more(&candidate, &best)) {
			best = candidate;
			*expected_ms = expected(&model, best.memory_kib, best.time);
		}
	}
	if (!best.memory_kib)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "nothing that was measured says how %s would stay within %" PRIu32
				 " ms and %" PRIu32 " KiB: allow more of either",
				 mortise_kdf_name(wanted.type), wanted.time_ms, wanted.memory_kib);
	*kdf = best;
	return MORTISE_OK;
}
