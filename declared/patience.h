/* SPDX-License-Identifier: MIT */
/*
 * Retrying a KMS or TPM that does not answer. All volumes of a run share one wait, which begins with
 * the first request: a KMS that is down delays a boot once, not once for each volume and keyslot.
 */
#ifndef DECLARED_PATIENCE_H
#define DECLARED_PATIENCE_H

#include <pthread.h>

#include <mortise.h>

struct config_key;
struct volume_kms;
struct volume_plan;
struct volume_run;

/* The lock protects all members. */
struct volume_waits {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t end_ms;	/* no retries after this; 0: nothing was requested yet */
	struct volume_kms *kms;	/* each KMS that was asked */
};

void volume_waits_init(struct volume_waits *waits);
void volume_waits_clear(struct volume_waits *waits);

/*
 * Pauses before another attempt, whose number starts at 0 and is counted in *attempt. From then on
 * the plan asks a KMS again. False: the time is over, or the run is canceled.
 */
MORTISE_MUST_CHECK bool volume_pause(struct volume_run *run, struct volume_plan *plan,
				     unsigned *attempt);

/*
 * Call these before and after a request to the source of a key. If its KMS has not answered another
 * request since the plan's last pause, begin returns that error, MORTISE_E_UNREACHABLE, and end is
 * not called. While the first request to a KMS runs, others wait for its result.
 */
MORTISE_MUST_CHECK enum mortise_code volume_request_begin(struct volume_run *run,
							  const struct volume_plan *plan,
							  const struct config_key *key,
							  struct mortise_error *err);
void volume_request_end(struct volume_run *run, const struct config_key *key,
			enum mortise_code code, const struct mortise_error *why);

/* Milliseconds for one call to a KMS, which must not take longer than the wait; 0: the default. */
uint32_t volume_kms_timeout(struct volume_run *run);

#endif
