/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_worker.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

/* xorshift64, G. Marsaglia, "Xorshift RNGs", 2003 */
uint64_t bench_next_random(uint64_t random)
{
	random ^= random << 13;
	random ^= random >> 7;
	return random ^ random << 17;
}

uint64_t bench_worker_next_offset(struct bench_worker *worker)
{
	worker->random = bench_next_random(worker->random);
	return worker->random % (worker->job->size / worker->job->block_size) *
	       worker->job->block_size;
}

bool bench_worker_count(struct bench_worker *worker, uint64_t started_ns, long moved)
{
	struct bench_tally *tally = &worker->tally;
	uint64_t now = clock_now_ns(), elapsed = now - worker->start_ns;
	uint64_t slice = elapsed * BENCH_SLICES / worker->job->duration_ns;

	if (moved != (long)worker->job->block_size) {
		tally->sys = moved < 0 ? (int)-moved : EIO;
		return false;
	}
	tally->bytes += worker->job->block_size;
	if (slice < BENCH_SLICES)
		tally->slices[slice] += worker->job->block_size;
	/* Requests that end after the duration count too: they may be the slowest ones. */
	if (slice > 0)
		bench_latency_add(&tally->latency, now - started_ns);
	return slice < BENCH_SLICES && !atomic_load_explicit(worker->cancel, memory_order_relaxed);
}

void bench_thread_run(struct bench_worker *worker)
{
	const struct bench_job *job = worker->job;
	uint64_t started;
	ssize_t moved;

	do {
		off_t offset = (off_t)bench_worker_next_offset(worker);

		started = clock_now_ns();
		moved = job->write ? pwrite(worker->fd, worker->buffers, job->block_size, offset)
				   : pread(worker->fd, worker->buffers, job->block_size, offset);
		if (moved < 0)
			moved = -errno;
	} while (bench_worker_count(worker, started, moved));
}
