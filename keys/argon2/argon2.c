/* SPDX-License-Identifier: MIT */
/* The built-in Argon2, with the memory, threads and kernel that suit this machine. */
#include "keys/argon2/argon2.h"

#include "keys/argon2/arena.h"
#include "keys/argon2/crew.h"
#include "base/error.h"
#include "base/events.h"
#include "base/machine.h"
#include "base/secret.h"

/* With less memory, threads wait for each other longer than they compute. */
#define THREADS_MIN_KIB 4096u

static unsigned choose_threads(const struct mortise_kdf *kdf, const struct keys_argon2_input *input)
{
	if (input->threads)
		return input->threads;
	return kdf->memory_kib < THREADS_MIN_KIB ? 1 : machine_cpus();
}

const char *keys_argon2_kernel(void)
{
	return keys_argon2_select(NULL)->name;
}

static bool is_canceled(void *watch)
{
	return events_watch_canceled(watch);
}

enum mortise_code keys_argon2(const struct mortise_kdf *kdf, const struct keys_argon2_input *input,
			      uint8_t *tag, size_t tag_size, struct mortise_error *err)
{
	struct events_watch watch = { .events = input->events };
	enum mortise_code code = MORTISE_E_MEMORY;
	struct keys_argon2_job job;
	struct keys_arena arena;

	keys_argon2_plan(&job, kdf, input);
	if (!keys_arena_map(&arena, keys_argon2_job_size(&job)))
		goto out;
	job.memory = arena.memory;
	job.populate = arena.populate;
	job.pages = &arena;
	job.canceled = is_canceled;
	job.watch = &watch;
	if (keys_argon2_crew_run(&job, input, choose_threads(kdf, input), tag, tag_size))
		code = MORTISE_OK;
	else if (watch.canceled)
		code = MORTISE_E_CANCELED;
out:
	keys_arena_unmap(&arena);
	if (!code)
		return MORTISE_OK;
	secret_wipe(tag, tag_size);
	if (code == MORTISE_E_CANCELED)
		return events_cancel_error(err);
	return error_set(err, code, 0, "cannot allocate %u KiB of memory for %s", kdf->memory_kib,
			 kdf->type == MORTISE_KDF_ARGON2I ? "argon2i" : "argon2id");
}
