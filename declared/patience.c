/* SPDX-License-Identifier: MIT */
#include "declared/patience.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "declared/cond.h"
#include "declared/plan.h"

/* A call shorter than this would fail on a slow network. */
#define CALL_LEAST_MS  1000u
/* A call that has taken the whole wait may end a moment before it. */
#define PAUSE_LEAST_MS 50u

struct volume_kms {
	struct volume_kms *next;
	const char *endpoint; /* of the configuration */
	bool asked;	      /* a request runs whose result others wait for */
	bool answers;
	uint64_t silent_ms; /* when it last did not answer; 0: never */
	struct mortise_error why;
};

void volume_waits_init(struct volume_waits *waits)
{
	pthread_mutex_init(&waits->lock, NULL);
	volume_cond_init(&waits->changed);
}

void volume_waits_clear(struct volume_waits *waits)
{
	struct volume_kms *kms;

	while ((kms = waits->kms)) {
		waits->kms = kms->next;
		free(kms);
	}
	pthread_cond_destroy(&waits->changed);
	pthread_mutex_destroy(&waits->lock);
}

/* The wait begins with the first request. */
static uint64_t get_end(struct volume_run *run)
{
	uint64_t end;

	pthread_mutex_lock(&run->waits.lock);
	if (!run->waits.end_ms)
		run->waits.end_ms = clock_now_ms() + run->options->wait_ms;
	end = run->waits.end_ms;
	pthread_mutex_unlock(&run->waits.lock);
	return end;
}

bool volume_pause(struct volume_run *run, struct volume_plan *plan, unsigned *attempt)
{
	const uint64_t end = get_end(run), now = clock_now_ms();
	uint64_t pause = keys_backoff_ms((*attempt)++);
	bool go_on;

	if (now + PAUSE_LEAST_MS >= end)
		return false;
	/* The last attempt is at the end of the time, not after it. */
	if (pause > end - now)
		pause = end - now;
	go_on = events_sleep_ms(&run->events, pause);
	plan->round_ms = clock_now_ms();
	return go_on;
}

uint32_t volume_kms_timeout(struct volume_run *run)
{
	uint64_t end, now;

	if (!run->options->wait_ms)
		return 0;
	end = get_end(run);
	now = clock_now_ms();
	return end > now + CALL_LEAST_MS ? (uint32_t)(end - now) : CALL_LEAST_MS;
}

/* NULL: out of memory, and each request is made on its own. */
static struct volume_kms *find_kms(struct volume_run *run, const struct config_key *key)
{
	struct volume_kms *kms = run->waits.kms;

	while (kms && strcmp(kms->endpoint, key->kms_endpoint) != 0)
		kms = kms->next;
	if (kms)
		return kms;
	kms = calloc(1, sizeof(*kms));
	if (!kms)
		return NULL;
	kms->endpoint = key->kms_endpoint;
	kms->next = run->waits.kms;
	run->waits.kms = kms;
	return kms;
}

enum mortise_code volume_request_begin(struct volume_run *run, const struct volume_plan *plan,
				       const struct config_key *key, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct volume_kms *kms;

	if (key->kind != CONFIG_KEY_KMS)
		return MORTISE_OK;
	pthread_mutex_lock(&run->waits.lock);
	kms = find_kms(run, key);
	while (!code && kms && kms->asked && !kms->answers)
		if (!volume_cond_wait(&run->events, &run->waits.changed, &run->waits.lock))
			code = events_cancel_error(err);
	if (!code && kms && kms->silent_ms > plan->round_ms)
		code = error_set(err, kms->why.code, kms->why.sys_errno, "%s", kms->why.text);
	if (!code && kms)
		kms->asked = true;
	pthread_mutex_unlock(&run->waits.lock);
	return code;
}

void volume_request_end(struct volume_run *run, const struct config_key *key,
			enum mortise_code code, const struct mortise_error *why)
{
	struct volume_kms *kms;

	if (key->kind != CONFIG_KEY_KMS)
		return;
	pthread_mutex_lock(&run->waits.lock);
	kms = find_kms(run, key);
	if (kms) {
		kms->asked = false;
		kms->answers = !code || code == MORTISE_E_SOURCE;
		kms->silent_ms = code == MORTISE_E_UNREACHABLE ? clock_now_ms() : 0;
		if (code == MORTISE_E_UNREACHABLE)
			kms->why = *why;
	}
	pthread_cond_broadcast(&run->waits.changed);
	pthread_mutex_unlock(&run->waits.lock);
}
