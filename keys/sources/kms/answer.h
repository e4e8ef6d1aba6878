/* SPDX-License-Identifier: MIT */
/* The HTTP/2 response to one call: collected piece by piece, then checked. */
#ifndef KEYS_KMS_ANSWER_H
#define KEYS_KMS_ANSWER_H

#include <mortise.h>

#include "keys/sources/kms/frame.h"
#include "keys/sources/kms/status.h"

/* Room for a body: a little more than the largest frame, to detect bytes after the frame. */
#define KEYS_KMS_BODY_MAX	  (KEYS_KMS_FRAME_MAX + 256u)
#define KEYS_KMS_CONTENT_TYPE_MAX 63u

struct keys_kms_answer {
	struct mortise_secret *body; /* KEYS_KMS_BODY_MAX bytes; contains the unsealed key */
	size_t size;		     /* bytes received */
	bool overflow;		     /* more bytes were received than body has room for */
	unsigned http_status;	     /* 0: not received */
	char content_type[KEYS_KMS_CONTENT_TYPE_MAX + 1];
	bool has_status;
	bool bad_status; /* grpc-status is invalid */
	unsigned status; /* grpc-status */
	char words[KEYS_KMS_WORDS_MAX + 1];
};

MORTISE_MUST_CHECK enum mortise_code keys_kms_answer_new(struct keys_kms_answer *answer,
							 struct mortise_error *err);
void keys_kms_answer_clear(struct keys_kms_answer *answer);

/* Adds a line of headers or trailers, including "HTTP/2 200", with or without its line end. */
void keys_kms_answer_header(struct keys_kms_answer *answer, const char *line, size_t size);

/* Adds bytes to the body. Returns false if there is no room: the caller can stop reading. */
MORTISE_MUST_CHECK bool keys_kms_answer_body(struct keys_kms_answer *answer, const void *bytes,
					     size_t size);

/*
 * Checks the complete answer. *data points into the body and has at least 1 byte.
 * MORTISE_E_UNREACHABLE: another attempt may succeed. MORTISE_E_SOURCE: it will not.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_answer_read(const struct keys_kms_answer *answer,
							  const uint8_t **data, size_t *data_size,
							  struct mortise_error *err);

#endif
