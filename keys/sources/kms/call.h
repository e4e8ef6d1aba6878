/* SPDX-License-Identifier: MIT */
/* A gRPC call to a KMS through libcurl. */
#ifndef KEYS_KMS_CALL_H
#define KEYS_KMS_CALL_H

#include <mortise.h>

#include "keys/sources/kms/answer.h"
#include "keys/sources/kms/curl.h"
#include "keys/sources/kms/endpoint.h"
#include "keys/sources/kms/kms.h"

/* The timeout in seconds for the whole call: resolve, connect and exchange. The same as Talos. */
#define KEYS_KMS_DEADLINE 10

/* Milliseconds that the call may take. */
static inline long keys_kms_deadline(const struct keys_kms *kms)
{
	const long most = KEYS_KMS_DEADLINE * 1000L;

	return kms->timeout_ms && kms->timeout_ms < most ? (long)kms->timeout_ms : most;
}

struct keys_kms_call {
	const struct keys_kms *kms;
	const struct keys_kms_endpoint *endpoint;
	const char *method;		      /* "Seal", "Unseal" */
	const struct mortise_secret *request; /* including the frame header */
};

/*
 * Sends the request and collects the response in *answer, which keys_kms_answer_new() has
 * initialized. MORTISE_OK: the response is complete; keys_kms_answer_read() checks it.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_call(const struct keys_kms_call *call,
						   struct keys_kms_answer *answer,
						   struct mortise_error *err);

/* A failed transfer. */
struct keys_kms_transfer {
	const struct keys_kms_curl *curl;
	CURL *easy;
	CURLcode result;
	bool answered;		     /* headers were received */
	char words[CURL_ERROR_SIZE]; /* libcurl's message, or "" */
};

/* Sets the error of a failed transfer; the code tells whether another attempt may succeed. */
enum mortise_code keys_kms_failure(const struct keys_kms_call *call,
				   const struct keys_kms_transfer *transfer,
				   struct mortise_error *err);

#endif
