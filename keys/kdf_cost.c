/* SPDX-License-Identifier: MIT */
/* Turns a choice of the user into a cost: limits, benchmarks, and the machine's resources. */
#include <inttypes.h>
#include <stdio.h>

#include "keys/argon2_cost.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"

/* As in cryptsetup: the rate is taken from the first run longer than RATE_MS. */
#define RATE_MS		  500u
#define RATE_STEPS	  10u	 /* maximum number of steps to reach RATE_MS */
#define RATE_FIRST	  32768u /* iterations of the first run */

/* Any machine does more in a second: a cost below this rate is not measured. */
#define SLOW_ITERATIONS	  200000u
#define SLOW_KIB	  (256u << 10)

/* Derivations to estimate the time of one that costs more. */
#define SAMPLES		  3u
#define SAMPLE_ITERATIONS 10000u
#define SAMPLE_KIB	  (16u << 10)
#define SAMPLE_KEY	  64u /* bytes */
#define SAMPLE_FACTOR	  3u  /* a second sample takes this many times the passes */

static const uint8_t bench_salt[32];

/* The input and output of measured derivations. */
struct bench {
	struct mortise_secret *passphrase;
	struct mortise_secret *key;
	const struct mortise_events *events;
};

static void bench_free(struct bench *bench)
{
	mortise_secret_free(&bench->passphrase);
	mortise_secret_free(&bench->key);
}

static enum mortise_code bench_new(size_t key_size, const struct mortise_events *events,
				   struct bench *bench, struct mortise_error *err)
{
	enum mortise_code code;

	bench->passphrase = NULL;
	bench->key = NULL;
	bench->events = events;
	code = mortise_secret_new(8, &bench->passphrase, err);
	if (!code)
		code = mortise_secret_new(key_size, &bench->key, err);
	return code;
}

/* Measures one derivation with a clock of base/clock.h. */
static enum mortise_code measure(struct bench *bench, const struct mortise_kdf *kdf,
				 uint64_t (*read_ns)(void), uint64_t *ns, struct mortise_error *err)
{
	const struct keys_bytes salt = { bench_salt, sizeof(bench_salt) };
	const uint64_t start = read_ns();
	enum mortise_code code;

	code = keys_kdf_derive(kdf, bench->events, bench->passphrase, salt,
			       mortise_secret_writable(bench->key), mortise_secret_size(bench->key),
			       err);
	*ns = read_ns() - start;
	return code;
}

/* Argon2 uses several threads, so this measures wall time. */
static enum mortise_code measure_argon2(void *context, const struct mortise_kdf *kdf, uint32_t *ms,
					struct mortise_error *err)
{
	enum mortise_code code;
	uint64_t ns;

	code = measure(context, kdf, clock_now_ns, &ns, err);
	*ms = (uint32_t)(ns / 1000000);
	return code;
}

enum mortise_code keys_pbkdf2_rate(const char *hash, size_t key_size,
				   const struct mortise_events *events, uint32_t *iterations,
				   struct mortise_error *err)
{
	struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2, .time = RATE_FIRST };
	uint64_t ns = 0, ms, rate;
	struct bench bench;
	enum mortise_code code;

	snprintf(kdf.hash, sizeof(kdf.hash), "%s", hash);
	code = bench_new(key_size, events, &bench, err);
	for (unsigned step = 0; !code && step <= RATE_STEPS; step++) {
		/* PBKDF2 uses one thread. Its CPU time does not depend on other load. */
		code = measure(&bench, &kdf, clock_thread_ns, &ns, err);
		ms = ns / 1000000;
		if (ms > RATE_MS || kdf.time > UINT32_MAX / 16)
			break;
		kdf.time *= ms <= RATE_MS / 8	? 16
			    : ms <= RATE_MS / 4 ? 8
			    : ms <= RATE_MS / 2 ? 4
						: 2;
	}
	if (!code) {
		rate = (uint64_t)kdf.time * 1000000000 / (ns ? ns : 1);
		*iterations = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
	}
	bench_free(&bench);
	return code;
}

/* A derivation of the same kind, but short. */
static struct mortise_kdf sample_of(const struct mortise_kdf *kdf)
{
	const uint32_t cpus = machine_cpus();
	struct mortise_kdf sample = *kdf;

	if (kdf->type == MORTISE_KDF_PBKDF2) {
		sample.time = SAMPLE_ITERATIONS;
		return sample;
	}
	if (sample.lanes > cpus)
		sample.lanes = cpus;
	if (sample.memory_kib > SAMPLE_KIB)
		sample.memory_kib = SAMPLE_KIB;
	/* Little memory is filled more often: a derivation of microseconds shows only its overhead. */
	sample.time = SAMPLE_KIB / sample.memory_kib;
	return sample;
}

/* Iterations of PBKDF2, or KiB that Argon2 fills. */
static uint64_t work_of(const struct mortise_kdf *kdf)
{
	return kdf->type == MORTISE_KDF_PBKDF2 ? kdf->time : (uint64_t)kdf->time * kdf->memory_kib;
}

/* The fastest of a few derivations: other load slows some. */
static enum mortise_code measure_best(struct bench *bench, const struct mortise_kdf *kdf,
				      double *best, struct mortise_error *err)
{
	uint64_t ns = 0, least = UINT64_MAX;
	enum mortise_code code = MORTISE_OK;

	for (unsigned i = 0; !code && i < SAMPLES; i++) {
		code = measure(bench, kdf, clock_now_ns, &ns, err);
		if (!code && ns < least)
			least = ns;
	}
	*best = (double)least;
	return code;
}

/*
 * The time of a derivation in seconds. The first pass of Argon2 also takes its memory from the
 * kernel, which can take many times as long as another pass: the difference of two samples shows
 * the time of the passes alone. Doubles, because the products can exceed 64 bits.
 */
static enum mortise_code estimate(const struct mortise_kdf *kdf,
				  const struct mortise_events *events, uint64_t *seconds,
				  struct mortise_error *err)
{
	const struct mortise_kdf sample = sample_of(kdf);
	const double work = (double)work_of(&sample);
	struct mortise_kdf longer = sample;
	double first = 0, more = 0, unit, pass;
	struct bench bench;
	enum mortise_code code;

	longer.time *= SAMPLE_FACTOR;
	code = bench_new(SAMPLE_KEY, events, &bench, err);
	if (!code)
		code = measure_best(&bench, &sample, &first, err);
	if (!code)
		code = measure_best(&bench, &longer, &more, err);
	bench_free(&bench);
	if (code)
		return code;
	unit = more > first ? (more - first) / ((SAMPLE_FACTOR - 1) * work) : first / work;
	pass = kdf->type == MORTISE_KDF_PBKDF2 ? 1 : (double)kdf->memory_kib;
	*seconds = (uint64_t)((first / work * pass + unit * ((double)work_of(kdf) - pass)) / 1e9);
	return MORTISE_OK;
}

enum mortise_code keys_kdf_check_time(const struct mortise_kdf *kdf, uint32_t max_s,
				      const char *who, const struct mortise_events *events,
				      struct mortise_error *err)
{
	const uint64_t slow = kdf->type == MORTISE_KDF_PBKDF2 ? SLOW_ITERATIONS : SLOW_KIB;
	uint64_t seconds = 0;
	enum mortise_code code;

	if (work_of(kdf) / slow < max_s)
		return MORTISE_OK;
	code = keys_kdf_fits(kdf, who, err);
	if (!code)
		code = estimate(kdf, events, &seconds, err);
	if (!code && seconds > max_s)
		code = error_set(err, MORTISE_E_POLICY, 0,
				 "%s would take about %" PRIu64
				 " s to derive on this machine, and the "
				 "limit is %" PRIu32 " s; to wait longer, use --max-unlock-time",
				 who, seconds, max_s);
	return code;
}

static enum mortise_code choose_pbkdf2(const struct mortise_kdf_choice *choice, size_t key_size,
				       const struct mortise_events *events, struct mortise_kdf *kdf,
				       struct mortise_error *err)
{
	const uint32_t target_ms = choice->target_ms ? choice->target_ms : KEYS_KDF_TARGET_DEFAULT;
	const char *hash = choice->hash ? choice->hash : "sha256";
	enum mortise_code code;
	uint32_t rate = 0;
	uint64_t time;

	if (!keys_hash_size(hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested hash %s is not supported.", hash);
	if (choice->memory_kib || choice->lanes)
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"PBKDF max memory or parallel threads must not be set with pbkdf2.");
	if (choice->forced_time && choice->forced_time < KEYS_PBKDF2_TIME_MIN)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Forced iteration count is too low for %s (minimum is %u).",
				 "pbkdf2", KEYS_PBKDF2_TIME_MIN);
	snprintf(kdf->hash, sizeof(kdf->hash), "%s", hash);
	kdf->time = choice->forced_time;
	if (kdf->time)
		return MORTISE_OK;
	code = keys_pbkdf2_rate(hash, key_size, events, &rate, err);
	time = (uint64_t)rate * target_ms / 1000;
	if (time < KEYS_PBKDF2_TIME_MIN)
		time = KEYS_PBKDF2_TIME_MIN;
	kdf->time = time < UINT32_MAX ? (uint32_t)time : UINT32_MAX;
	return code;
}

/* The messages are those of cryptsetup (lib/utils_pbkdf.c), except for the last but one. */
static enum mortise_code check_argon2_choice(const struct mortise_kdf_choice *choice,
					     const struct mortise_kdf *kdf,
					     struct mortise_error *err)
{
	const char *name = mortise_kdf_name(kdf->type);

	if (choice->forced_time && kdf->time < KEYS_ARGON2_TIME_MIN)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Forced iteration count is too low for %s (minimum is %u).", name,
				 KEYS_ARGON2_TIME_MIN);
	if (choice->forced_time && kdf->memory_kib < KEYS_ARGON2_MEMORY_MIN)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Forced memory cost is too low for %s (minimum is %u kilobytes).",
				 name, KEYS_ARGON2_MEMORY_MIN);
	if (kdf->memory_kib > KEYS_ARGON2_MEMORY_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Requested maximum PBKDF memory cost is too high "
				 "(maximum is %u kilobytes).",
				 KEYS_ARGON2_MEMORY_MAX);
	if (kdf->memory_kib < KEYS_ARGON2_MEMORY_MIN)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Requested maximum PBKDF memory cost is too low "
				 "(minimum is %u kilobytes).",
				 KEYS_ARGON2_MEMORY_MIN);
	if (kdf->lanes > KEYS_ARGON2_LANES_MAX)
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"Requested maximum PBKDF parallel cost is too high (maximum is %u).",
			KEYS_ARGON2_LANES_MAX);
	return MORTISE_OK;
}

static enum mortise_code choose_argon2(const struct mortise_kdf_choice *choice, size_t key_size,
				       const struct mortise_events *events, struct mortise_kdf *kdf,
				       struct mortise_error *err)
{
	const uint32_t target_ms = choice->target_ms ? choice->target_ms : KEYS_KDF_TARGET_DEFAULT;
	struct keys_stopwatch watch = { .measure = measure_argon2 };
	struct bench bench;
	enum mortise_code code;
	uint32_t cap, cpus;

	kdf->time = choice->forced_time;
	kdf->memory_kib = choice->memory_kib ? choice->memory_kib : KEYS_KDF_MEMORY_DEFAULT;
	kdf->lanes = choice->lanes ? choice->lanes : KEYS_ARGON2_LANES_MAX;
	code = check_argon2_choice(choice, kdf, err);
	if (code || kdf->time)
		return code;
	cpus = machine_cpus();
	if (kdf->lanes > cpus)
		kdf->lanes = cpus;
	cap = keys_argon2_memory_cap(&machine_files);
	if (cap < KEYS_ARGON2_MEMORY_MIN)
		return error_set(
			err, MORTISE_E_MEMORY, 0,
			"%s needs at least %u KiB, %u KiB is available; free memory or use "
			"pbkdf2",
			mortise_kdf_name(kdf->type), KEYS_ARGON2_MEMORY_MIN, cap);
	if (kdf->memory_kib > cap)
		kdf->memory_kib = cap;
	code = bench_new(key_size, events, &bench, err);
	watch.context = &bench;
	if (!code)
		code = keys_argon2_cost(kdf, target_ms, &watch, err);
	bench_free(&bench);
	return code;
}

enum mortise_code keys_kdf_choose(const struct mortise_kdf_choice *choice, size_t key_size,
				  const struct mortise_events *events, struct mortise_kdf *kdf,
				  struct mortise_error *err)
{
	struct mortise_kdf_choice wanted = { .struct_size = sizeof(wanted) };
	enum mortise_code code = MORTISE_OK;

	if (choice)
		code = sized_input(SIZED(mortise_kdf_choice), &wanted, choice, err);
	if (code)
		return code;
	*kdf = (struct mortise_kdf){ .type = wanted.type };
	switch (wanted.type) {
	case MORTISE_KDF_ARGON2ID:
	case MORTISE_KDF_ARGON2I:
		return choose_argon2(&wanted, key_size, events, kdf, err);
	case MORTISE_KDF_PBKDF2:
		return choose_pbkdf2(&wanted, key_size, events, kdf, err);
	}
	return error_set(err, MORTISE_E_USAGE, 0, "Unknown PBKDF type %d.", (int)wanted.type);
}
