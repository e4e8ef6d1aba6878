/* SPDX-License-Identifier: MIT */
/* The answer to one call as HTTP/2 brings it, collected piece by piece, then judged. */
#ifndef KEYS_KMS_ANSWER_H
#define KEYS_KMS_ANSWER_H

#include <mortise.h>

#include "keys/sources/kms/frame.h"
#include "keys/sources/kms/status.h"

/* Room for a body; a little more than a frame has, to tell "too large" from "goes on". */
#define KEYS_KMS_BODY_MAX	  (KEYS_KMS_FRAME_MAX + 256u)
#define KEYS_KMS_CONTENT_TYPE_MAX 63u

struct keys_kms_answer {
	struct mortise_secret *body; /* KEYS_KMS_BODY_MAX bytes: an unsealed key is in it */
	size_t size;		     /* bytes of it that came */
	bool overflow;		     /* more came */
	unsigned http_status;	     /* 0: none came */
	char content_type[KEYS_KMS_CONTENT_TYPE_MAX + 1];
	bool has_status;
	bool bad_status; /* a grpc-status that is none */
	unsigned status; /* of gRPC */
	char words[KEYS_KMS_WORDS_MAX + 1];
};

MORTISE_MUST_CHECK enum mortise_code keys_kms_answer_new(struct keys_kms_answer *answer,
							 struct mortise_error *err);
void keys_kms_answer_clear(struct keys_kms_answer *answer);

/* A line of headers or trailers, "HTTP/2 200" among them, with or without its end of line. */
void keys_kms_answer_header(struct keys_kms_answer *answer, const char *line, size_t size);

/* False: there is no room for these bytes, and no sense in reading on. */
MORTISE_MUST_CHECK bool keys_kms_answer_body(struct keys_kms_answer *answer, const void *bytes,
					     size_t size);

/*
 * What the whole answer says: *data points into the body and has at least 1 byte.
 * MORTISE_E_UNREACHABLE, MORTISE_E_SOURCE.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_answer_read(const struct keys_kms_answer *answer,
							  const uint8_t **data, size_t *data_size,
							  struct mortise_error *err);

#endif
