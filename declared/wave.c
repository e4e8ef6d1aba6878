/* SPDX-License-Identifier: MIT */
#include "declared/wave.h"

#include "base/machine.h"

#define THREADS_MAX 16u

struct wave {
	size_t count;
	enum mortise_code (*work)(void *context, size_t i, struct mortise_error *err);
	void *context;
	pthread_mutex_t lock; /* of the members below */
	size_t next;
	enum mortise_code code; /* the first failure */
	struct mortise_error err;
};

static void *run_thread(void *context)
{
	struct wave *wave = context;

	for (;;) {
		struct mortise_error err = { 0 };
		enum mortise_code code;
		bool done;
		size_t i;

		pthread_mutex_lock(&wave->lock);
		done = wave->code || wave->next >= wave->count;
		i = done ? 0 : wave->next++;
		pthread_mutex_unlock(&wave->lock);
		if (done)
			return NULL;
		code = wave->work(wave->context, i, &err);
		if (!code)
			continue;
		pthread_mutex_lock(&wave->lock);
		if (!wave->code) {
			wave->code = code;
			wave->err = err;
		}
		pthread_mutex_unlock(&wave->lock);
	}
}

/* Waiting for a KMS needs no processor. */
static bool has_kms_key(const struct mortise_plan *plans)
{
	for (size_t i = 0; i < plans->count; i++)
		for (size_t j = 0; j < plans->volumes[i]->volume->key_count; j++)
			if (plans->volumes[i]->volume->keys[j].kind == CONFIG_KEY_KMS)
				return true;
	return false;
}

enum mortise_code volume_wave(const struct mortise_plan *plans, size_t first,
			      enum mortise_code (*work)(void *context, size_t i,
							struct mortise_error *err),
			      void *context, struct mortise_error *err)
{
	struct wave wave = {
		.count = plans->count, .work = work, .context = context, .next = first
	};
	pthread_t thread[THREADS_MAX];
	size_t cpus = machine_cpus(), wanted = plans->count - first, started = 0;

	if (wanted > cpus && !has_kms_key(plans))
		wanted = cpus;
	wanted = wanted < THREADS_MAX ? wanted : THREADS_MAX;
	pthread_mutex_init(&wave.lock, NULL);
	/* This thread takes part. It does all the work if no thread can be started. */
	while (started + 1 < wanted && !pthread_create(&thread[started], NULL, run_thread, &wave))
		started++;
	run_thread(&wave);
	while (started > 0)
		pthread_join(thread[--started], NULL);
	pthread_mutex_destroy(&wave.lock);
	if (wave.code && err)
		*err = wave.err;
	return wave.code;
}
