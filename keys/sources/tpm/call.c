/* SPDX-License-Identifier: MIT */
/*
 * The functions of tpm.h and memory.h that access a TPM. Each runs in a thread of its own, because
 * neither tpm2-tss nor Linux can abandon a command that the TPM does not answer: poll(2) on
 * /dev/tpmrm0 blocks like read(2), for minutes with some commands, and other keys must get their
 * turn.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "keys/sources/tpm/context.h"
#include "keys/sources/tpm/nv.h"
#include "keys/sources/tpm/operations.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "base/secret.h"

/* The thread's own deadline is this much earlier, since the thread can report what it waits for. */
#define GRACE_MS   500u

#define STACK_USED 65536u /* bytes; several times what a call uses */

/* All data that the thread uses. The caller or the thread frees it, whichever ends last. */
struct call {
	enum mortise_code (*run)(struct call *call, struct keys_tpm_context *context);
	char *tcti;
	struct keys_tpm_signed_policy *policy;
	struct keys_tpm_object object;
	struct mortise_secret *secret, *pin;
	struct keys_tpm_binding binding;
	unsigned pcr;
	uint8_t digest[KEYS_TPM_DIGEST_SIZE]; /* of PCR pcr, or to extend it with */
	uint32_t changed;
	struct keys_tpm_memory memory;
	enum keys_tpm_memory_state memory_state;
	bool replace;

	uint64_t deadline; /* on clock_now_ms() */
	enum mortise_code code;
	struct mortise_error err;

	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool over;	/* the thread has ended */
	bool abandoned; /* the caller no longer waits */
};

static void call_free(struct call *call)
{
	if (!call)
		return;
	pthread_cond_destroy(&call->ended);
	pthread_mutex_destroy(&call->lock);
	mortise_secret_free(&call->secret);
	mortise_secret_free(&call->pin);
	free(call->policy);
	free(call->tcti);
	free(call);
}

static struct call *call_new(const struct keys_tpm *tpm, struct mortise_error *err)
{
	const uint32_t limit = tpm->limit_ms ? tpm->limit_ms : KEYS_TPM_LIMIT_MS;
	struct call *call = calloc(1, sizeof(*call));
	pthread_condattr_t monotonic;
	bool complete;

	if (!call) {
		(void)error_memory(err);
		return NULL;
	}
	call->deadline = clock_now_ms() + limit;
	pthread_mutex_init(&call->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&call->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	call->tcti = tpm->tcti ? strdup(tpm->tcti) : NULL;
	complete = !tpm->tcti || call->tcti;
	if (complete && tpm->policy) {
		call->policy = malloc(sizeof(*call->policy));
		complete = call->policy;
		if (complete)
			*call->policy = *tpm->policy;
	}
	if (complete && tpm->pin)
		complete = !mortise_secret_from(mortise_secret_data(tpm->pin),
						mortise_secret_size(tpm->pin), &call->pin, err);
	if (complete)
		return call;
	call_free(call);
	(void)error_memory(err);
	return NULL;
}

/* tpm2-tss leaves secrets and session keys on the stack. */
__attribute__((noinline)) static void wipe_stack(void)
{
	uint8_t below[STACK_USED];

	secret_wipe(below, sizeof(below));
}

static void *run_thread(void *argument)
{
	struct keys_tpm_context context;
	struct call *call = argument;
	bool abandoned;

	call->code = keys_tpm_open(&context, call->tcti, call->deadline, &call->err);
	if (!call->code)
		call->code = call->run(call, &context);
	keys_tpm_close(&context);
	wipe_stack();
	pthread_mutex_lock(&call->lock);
	call->over = true;
	abandoned = call->abandoned;
	pthread_cond_signal(&call->ended);
	pthread_mutex_unlock(&call->lock);
	if (abandoned)
		call_free(call);
	return NULL;
}

/* Blocks all signals in the thread: the caller's threads handle them. */
static int start_thread(struct call *call, pthread_t *id)
{
	sigset_t all, before;
	int sys;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sys = pthread_create(id, NULL, run_thread, call);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sys;
}

/*
 * Returns false if the thread does not end in time, or if the wait is canceled; from then on only
 * the thread uses call. The thread ends when the TPM has answered, and wipes the result.
 */
static bool wait_for_thread(struct call *call, const struct mortise_events *events, bool *canceled)
{
	const uint64_t until = call->deadline + GRACE_MS;
	uint64_t now = clock_now_ms();
	bool over;

	*canceled = false;
	pthread_mutex_lock(&call->lock);
	while (!call->over && now < until && !*canceled) {
		const uint64_t next = until - now < EVENTS_POLL_MS ? until : now + EVENTS_POLL_MS;
		const struct timespec end = {
			.tv_sec = (time_t)(next / 1000),
			.tv_nsec = (long)(next % 1000) * 1000000,
		};

		(void)pthread_cond_timedwait(&call->ended, &call->lock, &end);
		*canceled = !call->over && events_canceled(events);
		now = clock_now_ms();
	}
	over = call->over;
	call->abandoned = !over;
	pthread_mutex_unlock(&call->lock);
	return over;
}

/* Sets *call to NULL if the wait ends before the thread, which still uses it. */
static enum mortise_code carry_out(const struct keys_tpm *tpm, struct call **call,
				   struct mortise_error *err)
{
	const uint64_t begun = clock_now_ms();
	bool canceled;
	pthread_t id;
	int sys;

	sys = start_thread(*call, &id);
	if (sys)
		return error_set(err, MORTISE_E_SYSTEM, sys, "cannot create a thread for the TPM");
	if (!wait_for_thread(*call, tpm->events, &canceled)) {
		pthread_detach(id);
		*call = NULL;
		if (canceled)
			return events_cancel_error(err);
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "the TPM did not answer within %llu s",
				 (unsigned long long)(clock_now_ms() - begun) / 1000);
	}
	pthread_join(id, NULL);
	if ((*call)->code && err)
		*err = (*call)->err;
	return (*call)->code;
}

static enum mortise_code run_seal(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_seal_object(context, call->policy, &call->binding, call->pin, call->secret,
				    &call->object, &call->err);
}

static enum mortise_code run_unseal(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_unseal_object(context, call->policy, call->pin, &call->object,
				      &call->secret, &call->changed, &call->err);
}

static enum mortise_code run_extend(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_pcr_extend(context, call->pcr, call->digest, &call->err);
}

static enum mortise_code run_pcr_value(struct call *call, struct keys_tpm_context *context)
{
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code;

	code = keys_tpm_pcr_read_any(context, UINT32_C(1) << call->pcr, values, &call->err);
	if (!code)
		memcpy(call->digest, values[call->pcr], KEYS_TPM_DIGEST_SIZE);
	return code;
}

static enum mortise_code run_memory_read(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_nv_read(context, call->policy, &call->memory, &call->memory_state,
				&call->err);
}

static enum mortise_code run_memory_write(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_nv_write(context, call->policy, &call->memory, call->replace, &call->err);
}

static enum mortise_code run_memory_remove(struct call *call, struct keys_tpm_context *context)
{
	return keys_tpm_nv_remove(context, &call->err);
}

enum mortise_code keys_tpm_seal(const struct keys_tpm *tpm, const struct keys_tpm_binding *binding,
				const uint8_t secret[static KEYS_TPM_SECRET_SIZE],
				struct keys_tpm_object *object, struct mortise_error *err)
{
	enum mortise_code code;
	struct call *call;

	memset(object, 0, sizeof(*object));
	if (binding->pcrs & ~KEYS_TPM_PCR_MASK)
		return error_set(err, MORTISE_E_USAGE, 0, "a TPM has only PCR 0 to PCR %u",
				 MORTISE_PCRS - 1);
	if (!tpm->policy && !binding->pcrs && !tpm->pin)
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"cannot bind a key of kind tpm to the boot: this boot image has no signed "
			"policy of PCR %u, and the list of PCRs is empty",
			KEYS_TPM_SIGNED_PCR);
	call = call_new(tpm, err);
	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_seal;
	call->binding = *binding;
	code = mortise_secret_from(secret, KEYS_TPM_SECRET_SIZE, &call->secret, err);
	if (!code)
		code = carry_out(tpm, &call, err);
	if (!code)
		*object = call->object;
	call_free(call);
	return code;
}

enum mortise_code keys_tpm_unseal(const struct keys_tpm *tpm, const struct keys_tpm_object *object,
				  struct mortise_secret **secret, uint32_t *changed,
				  struct mortise_error *err)
{
	enum mortise_code code;
	struct call *call;

	*secret = NULL;
	*changed = 0;
	call = call_new(tpm, err);
	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_unseal;
	call->object = *object;
	code = carry_out(tpm, &call, err);
	if (call)
		*changed = call->changed;
	if (!code) {
		*secret = call->secret;
		call->secret = NULL;
	}
	call_free(call);
	return code;
}

static enum mortise_code check_pcr(unsigned pcr, struct mortise_error *err)
{
	if (pcr < MORTISE_PCRS)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0,
			 "PCR %u does not exist; a TPM has only PCR 0 to PCR %u", pcr,
			 MORTISE_PCRS - 1);
}

enum mortise_code keys_tpm_extend(const struct keys_tpm *tpm, unsigned pcr,
				  const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				  struct mortise_error *err)
{
	enum mortise_code code = check_pcr(pcr, err);
	struct call *call;

	if (code)
		return code;
	call = call_new(tpm, err);
	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_extend;
	call->pcr = pcr;
	memcpy(call->digest, digest, KEYS_TPM_DIGEST_SIZE);
	code = carry_out(tpm, &call, err);
	call_free(call);
	return code;
}

enum mortise_code keys_tpm_pcr_value(const struct keys_tpm *tpm, unsigned pcr, bool *exists,
				     uint8_t value[static KEYS_TPM_DIGEST_SIZE],
				     struct mortise_error *err)
{
	enum mortise_code code = check_pcr(pcr, err);
	struct call *call;

	*exists = keys_tpm_exists(tpm->tcti);
	if (code || !*exists)
		return code;
	call = call_new(tpm, err);
	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_pcr_value;
	call->pcr = pcr;
	code = carry_out(tpm, &call, err);
	if (!code && call)
		memcpy(value, call->digest, KEYS_TPM_DIGEST_SIZE);
	call_free(call);
	return code;
}

enum mortise_code keys_tpm_memory_read(const struct keys_tpm *tpm, struct keys_tpm_memory *memory,
				       enum keys_tpm_memory_state *state, struct mortise_error *err)
{
	enum mortise_code code;
	struct call *call;

	memset(memory, 0, sizeof(*memory));
	*state = KEYS_TPM_MEMORY_NO_TPM;
	if (!keys_tpm_exists(tpm->tcti))
		return MORTISE_OK;
	call = call_new(tpm, err);
	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_memory_read;
	code = carry_out(tpm, &call, err);
	if (!code) {
		*memory = call->memory;
		*state = call->memory_state;
	}
	call_free(call);
	return code;
}

enum mortise_code keys_tpm_memory_write(const struct keys_tpm *tpm,
					const struct keys_tpm_memory *memory, bool replace,
					struct mortise_error *err)
{
	struct call *call = call_new(tpm, err);
	enum mortise_code code;

	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_memory_write;
	call->memory = *memory;
	call->replace = replace;
	code = carry_out(tpm, &call, err);
	call_free(call);
	return code;
}

enum mortise_code keys_tpm_memory_remove(const struct keys_tpm *tpm, struct mortise_error *err)
{
	struct call *call = call_new(tpm, err);
	enum mortise_code code;

	if (!call)
		return MORTISE_E_MEMORY;
	call->run = run_memory_remove;
	code = carry_out(tpm, &call, err);
	call_free(call);
	return code;
}
