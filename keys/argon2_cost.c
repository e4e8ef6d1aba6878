/* SPDX-License-Identifier: MIT */
/* Searches for the Argon2 cost that takes a given time. */
#include "keys/argon2_cost.h"

#include "keys/kdf.h"

#define BENCH_MEMORY 65536u /* KiB of the first measurement; less memory says little about more */
#define LONG_MS	     250u   /* minimum duration of a measurement to extrapolate from */
#define SHORT_MS     10u    /* shorter measurements are too inaccurate to scale by */
#define GROWTH	     16u    /* factor after a measurement shorter than SHORT_MS */
#define SAMPLES	     3u	    /* number of short measurements, of which the shortest is used */

#define GIB	     (UINT64_C(1) << 30)

static uint32_t clamp(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

uint32_t keys_argon2_memory_cap(const struct machine_files *files)
{
	const uint64_t available = machine_available(files);
	uint64_t total, cap;
	bool swap;

	total = machine_memory(files, &swap);
	cap = total ? total / 2 : UINT64_MAX;
	/* With all available memory, the next boot might not have enough to open the volume. */
	if (total < 4 * GIB && !swap && cap > available / 2)
		cap = available / 2;
	if (cap > available)
		cap = available;
	return clamp(cap / 1024);
}

static enum mortise_code measure_least_time(const struct mortise_kdf *kdf,
					    const struct keys_stopwatch *watch, unsigned samples,
					    uint32_t enough_ms, uint32_t *ms,
					    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint32_t once;

	*ms = UINT32_MAX;
	for (unsigned i = 0; i < samples && !code; i++) {
		code = watch->measure(watch->context, kdf, &once, err);
		if (code)
			break;
		if (once < *ms)
			*ms = once;
		/* Too short to be useful; repeating the measurement does not help. */
		if (once < enough_ms)
			break;
	}
	return code;
}

/* Scales value so that a run that took ms takes LONG_MS. */
static uint32_t scale_to_long_run(uint32_t value, uint32_t ms)
{
	if (ms < SHORT_MS)
		return clamp((uint64_t)value * GROWTH);
	return clamp((uint64_t)value * LONG_MS / ms);
}

/* Increases memory, then passes, until one run takes LONG_MS. */
static enum mortise_code find_long_run(struct mortise_kdf *kdf, uint32_t memory_max,
				       const struct keys_stopwatch *watch, uint32_t *ms,
				       struct mortise_error *err)
{
	enum mortise_code code;
	uint32_t *field, before, most;

	for (;;) {
		code = measure_least_time(kdf, watch, SAMPLES, LONG_MS, ms, err);
		if (code || *ms >= LONG_MS)
			return code;
		field = kdf->memory_kib == memory_max ? &kdf->time : &kdf->memory_kib;
		most = field == &kdf->time ? UINT32_MAX : memory_max;
		before = *field;
		*field = scale_to_long_run(before, *ms);
		if (*field == before)
			return MORTISE_OK;
		if (*field > most)
			*field = most;
	}
}

/*
 * Extrapolates from a run that took ms to the cost that takes target_ms. Memory is what makes an
 * attack expensive, so it is raised first and lowered last. Returns false if there is nothing more
 * to try: a limit is reached, or the cost has not changed.
 */
static bool extrapolate(struct mortise_kdf *kdf, uint32_t memory_min, uint32_t memory_max,
			uint32_t ms, uint32_t target_ms)
{
	const struct mortise_kdf before = *kdf;
	const uint64_t work = (uint64_t)kdf->time * kdf->memory_kib;
	uint64_t time, memory;

	if (ms > target_ms) {
		time = (uint64_t)kdf->time * target_ms / ms;
		if (time >= KEYS_ARGON2_TIME_MIN) {
			kdf->time = (uint32_t)time;
		} else {
			memory = work * target_ms / ((uint64_t)KEYS_ARGON2_TIME_MIN * ms);
			kdf->time = KEYS_ARGON2_TIME_MIN;
			kdf->memory_kib = memory < memory_min ? memory_min : clamp(memory);
			if (memory < memory_min)
				return false;
		}
	} else {
		memory = (uint64_t)kdf->memory_kib * target_ms / ms;
		kdf->memory_kib = memory > memory_max ? memory_max : clamp(memory);
		if (memory > memory_max) {
			time = work * target_ms / ((uint64_t)memory_max * ms);
			kdf->time =
				time > KEYS_ARGON2_TIME_MIN ? clamp(time) : KEYS_ARGON2_TIME_MIN;
			if (time <= KEYS_ARGON2_TIME_MIN)
				return false;
		}
	}
	return kdf->time != before.time || kdf->memory_kib != before.memory_kib;
}

enum mortise_code keys_argon2_cost(struct mortise_kdf *kdf, uint32_t target_ms,
				   const struct keys_stopwatch *watch, struct mortise_error *err)
{
	const uint32_t at_least = clamp((uint64_t)target_ms * 95 / 100);
	const uint32_t at_most = clamp((uint64_t)target_ms * 110 / 100);
	const uint32_t memory_max = kdf->memory_kib;
	uint32_t memory_min = BENCH_MEMORY, ms;
	enum mortise_code code;

	if (memory_min > memory_max)
		memory_min = memory_max;
	kdf->time = KEYS_ARGON2_TIME_MIN;
	kdf->memory_kib = memory_min;
	code = find_long_run(kdf, memory_max, watch, &ms, err);
	while (!code && extrapolate(kdf, memory_min, memory_max, ms ? ms : 1, target_ms)) {
		code = measure_least_time(kdf, watch, 1, at_least, &ms, err);
		if (ms >= at_least && ms <= at_most)
			break;
	}
	return code;
}
