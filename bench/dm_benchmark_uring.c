/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_uring.h"

#ifdef MORTISE_URING

#include <errno.h>
#include <liburing.h>

#include "base/clock.h"
#include "bench/dm_benchmark_limits.h"

bool bench_uring_works(void)
{
	struct io_uring ring;

	/* Fails if compiled out, disabled by kernel.io_uring_disabled, or filtered by seccomp. */
	if (io_uring_queue_init(1, &ring, 0))
		return false;
	io_uring_queue_exit(&ring);
	return true;
}

static void queue_request(struct bench_worker *worker, struct io_uring *ring, uint64_t *started,
			  uint32_t i)
{
	uint8_t *buffer = worker->buffers + (size_t)i * worker->job->block_size;
	/* Never NULL: the ring has room for every request. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	uint64_t offset = bench_worker_next_offset(worker);

	if (worker->job->write)
		io_uring_prep_write(sqe, worker->fd, buffer, worker->job->block_size, offset);
	else
		io_uring_prep_read(sqe, worker->fd, buffer, worker->job->block_size, offset);
	io_uring_sqe_set_data64(sqe, i);
	started[i] = clock_now_ns();
}

void bench_uring_run(struct bench_worker *worker)
{
	uint64_t started[BENCH_DEPTH_MAX];
	uint32_t in_flight = worker->depth;
	struct io_uring ring;
	int sys = -io_uring_queue_init(worker->depth, &ring, 0);

	if (sys) {
		worker->tally.sys = sys;
		return;
	}
	for (uint32_t i = 0; i < worker->depth; i++)
		queue_request(worker, &ring, started, i);
	while (in_flight > 0) {
		struct io_uring_cqe *cqe;

		sys = -io_uring_submit_and_wait(&ring, 1);
		if (sys > 0 && sys != EINTR) {
			worker->tally.sys = sys;
			break;
		}
		while (io_uring_peek_cqe(&ring, &cqe) == 0) {
			uint32_t i = (uint32_t)io_uring_cqe_get_data64(cqe);
			long moved = cqe->res;

			io_uring_cqe_seen(&ring, cqe);
			if (bench_worker_count(worker, started[i], moved))
				queue_request(worker, &ring, started, i);
			else
				in_flight--;
		}
	}
	io_uring_queue_exit(&ring);
}

#else

bool bench_uring_works(void)
{
	return false;
}

void bench_uring_run(struct bench_worker *worker)
{
	bench_thread_run(worker);
}

#endif
