/* SPDX-License-Identifier: MIT */
/* One gRPC call to a KMS, through libcurl. */
#ifndef KEYS_KMS_CALL_H
#define KEYS_KMS_CALL_H

#include <mortise.h>

#include "keys/sources/kms/answer.h"
#include "keys/sources/kms/curl.h"
#include "keys/sources/kms/endpoint.h"
#include "keys/sources/kms/kms.h"

/* Seconds for all of it: resolving, connecting, asking. Talos's. */
#define KEYS_KMS_DEADLINE 10

struct keys_kms_call {
	const struct keys_kms *kms;
	const struct keys_kms_endpoint *endpoint;
	const char *method;		      /* "Seal", "Unseal" */
	const struct mortise_secret *request; /* with the head of its frame */
};

/*
 * Asks and collects what comes into *answer, which keys_kms_answer_new has made. MORTISE_OK:
 * there is a whole answer, whatever it says.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_call(const struct keys_kms_call *call,
						   struct keys_kms_answer *answer,
						   struct mortise_error *err);

/* A transfer that failed, for keys_kms_failure. */
struct keys_kms_transfer {
	const struct keys_kms_curl *curl;
	CURL *easy;
	CURLcode result;
	bool answered;		     /* headers came */
	char words[CURL_ERROR_SIZE]; /* libcurl's own, "" for none */
};

/* The error for it: a sentence about what is wrong there, and whether to try again. */
enum mortise_code keys_kms_failure(const struct keys_kms_call *call,
				   const struct keys_kms_transfer *transfer,
				   struct mortise_error *err);

#endif
