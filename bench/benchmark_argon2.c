/* SPDX-License-Identifier: MIT */
/* The time of an Argon2 cost on this machine, and the limit that memory sets. */
#include <stdio.h>

#include "keys/argon2_cost.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "bench/benchmark.h"

#define KEY_SIZE 64u /* bytes: the key of an area with aes-xts-plain64 */

static const uint8_t salt_bytes[32];

/* All repeated measurements of one cost. */
struct measurement {
	struct mortise_kdf kdf;
	struct mortise_kdf one_pass;
	struct benchmark_walk walk;
	struct mortise_secret *passphrase;
	struct mortise_secret *key;
	const struct mortise_events *events;
	struct benchmark_samples time, first_pass, limit, limit_first_pass;
	double cpu_ms; /* of the fastest run */
	double fastest_ms;
};

static enum mortise_code derive_key(struct measurement *m, const struct mortise_kdf *kdf,
				    struct mortise_error *err)
{
	const struct keys_bytes salt = { salt_bytes, sizeof(salt_bytes) };

	return keys_kdf_derive(kdf, m->events, m->passphrase, salt, mortise_secret_writable(m->key),
			       KEY_SIZE, err);
}

static enum mortise_code measure_whole(struct measurement *m, struct mortise_error *err)
{
	uint64_t start = clock_now_ns(), cpu = benchmark_cpu_now_ns();
	enum mortise_code code = derive_key(m, &m->kdf, err);
	double ms = benchmark_ms_since(start);

	if (code)
		return code;
	if (!m->time.count || ms < m->fastest_ms) {
		m->fastest_ms = ms;
		m->cpu_ms = (double)(benchmark_cpu_now_ns() - cpu) / 1e6;
	}
	benchmark_samples_add(&m->time, ms);
	return MORTISE_OK;
}

static enum mortise_code measure_first_pass(struct measurement *m, struct mortise_error *err)
{
	uint64_t start = clock_now_ns();
	enum mortise_code code = derive_key(m, &m->one_pass, err);

	if (!code)
		benchmark_samples_add(&m->first_pass, benchmark_ms_since(start));
	return code;
}

static enum mortise_code measure_limit(struct measurement *m, struct mortise_error *err)
{
	double ms, first_pass_ms;
	enum mortise_code code = benchmark_walk(&m->walk, &ms, &first_pass_ms, err);

	if (code)
		return code;
	benchmark_samples_add(&m->limit, ms);
	if (m->kdf.time > 1)
		benchmark_samples_add(&m->limit_first_pass, first_pass_ms);
	return MORTISE_OK;
}

/* Derivations per second by all processors, as many at once as fit into the memory. */
static double count_guesses(const struct measurement *m)
{
	const unsigned cpus = machine_cpus();
	const unsigned threads = m->kdf.lanes < cpus ? m->kdf.lanes : cpus;
	uint64_t at_once, memory;
	double busy;
	bool swap;

	memory = machine_memory(&machine_files, &swap);
	at_once = memory / keys_kdf_memory(&m->kdf);
	if (!at_once)
		at_once = 1;
	busy = (double)at_once * threads;
	if (busy > cpus)
		busy = cpus;
	return m->cpu_ms > 0 ? busy * 1000 / m->cpu_ms : 0;
}

static enum mortise_code fill_result(struct measurement *m, struct mortise_argon2_benchmark *result,
				     struct mortise_error *err)
{
	const double blocks = m->kdf.memory_kib;
	const double moved = blocks * 1024 * (2 + 3 * (double)(m->kdf.time - 1));
	struct mortise_argon2_benchmark filled = {
		.cpu_ms = m->cpu_ms,
		.guesses = count_guesses(m),
	};

	benchmark_samples_spread(&m->time, &filled.time);
	benchmark_samples_spread(&m->first_pass, &filled.first_pass);
	benchmark_samples_spread(&m->limit, &filled.limit);
	benchmark_samples_spread(&m->limit_first_pass, &filled.limit_first_pass);
	if (filled.time.median > 0)
		filled.bandwidth = moved * 1000 / filled.time.median;
	return sized_output(SIZED(mortise_argon2_benchmark), result, &filled, err);
}

static enum mortise_code begin_measurement(struct measurement *m, const struct mortise_kdf *kdf,
					   const struct mortise_events *events,
					   struct mortise_error *err)
{
	const unsigned cpus = machine_cpus();
	enum mortise_code code;

	*m = (struct measurement){ .kdf = *kdf, .one_pass = *kdf, .events = events };
	m->one_pass.time = 1;
	m->walk = (struct benchmark_walk){
		.blocks = kdf->memory_kib,
		.passes = kdf->time,
		.lanes = kdf->lanes,
		.events = events,
		.threads = kdf->lanes < cpus ? kdf->lanes : cpus,
		.independent = kdf->type == MORTISE_KDF_ARGON2I,
	};
	code = secret_random(16, &m->passphrase, err);
	return code ? code : mortise_secret_new(KEY_SIZE, &m->key, err);
}

enum mortise_code mortise_benchmark_argon2(const struct mortise_kdf *kdf,
					   const struct mortise_benchmark *how,
					   struct mortise_argon2_benchmark *result,
					   struct mortise_error *err)
{
	struct benchmark_loop loop;
	struct measurement m;
	enum mortise_code code;
	char step[64];

	if (kdf->type == MORTISE_KDF_PBKDF2 || !kdf->time)
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"this benchmark requires argon2id or argon2i, and at least 1 pass");
	snprintf(step, sizeof(step), "%s m=%u t=%u p=%u", mortise_kdf_name(kdf->type),
		 kdf->memory_kib, kdf->time, kdf->lanes);
	code = sized_check(SIZED(mortise_argon2_benchmark), result, err);
	if (!code)
		code = benchmark_loop_begin(&loop, how, err);
	if (!code)
		code = keys_kdf_fits(kdf, step, err);
	if (code)
		return code;
	code = begin_measurement(&m, kdf, loop.how.events, err);
	if (code)
		goto out;
	/* The measurements alternate, so that other load affects all of them. */
	while (benchmark_loop_next(&loop, step)) {
		code = measure_whole(&m, err);
		if (code)
			break;
		if (kdf->time > 1)
			code = measure_first_pass(&m, err);
		if (code)
			break;
		code = measure_limit(&m, err);
		if (code)
			break;
	}
	code = benchmark_loop_end(&loop, code);
	if (!code)
		code = fill_result(&m, result, err);
out:
	mortise_secret_free(&m.passphrase);
	mortise_secret_free(&m.key);
	return code;
}

uint32_t mortise_argon2_memory_cap(void)
{
	return keys_argon2_memory_cap(&machine_files);
}
