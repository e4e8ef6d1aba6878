/* SPDX-License-Identifier: MIT */
/* How a gRPC call went: the status that a server sends, and its words. */
#ifndef KEYS_KMS_STATUS_H
#define KEYS_KMS_STATUS_H

#include <mortise.h>

#define KEYS_KMS_STATUS_OK   0u
#define KEYS_KMS_STATUSES    17u  /* 0 to 16 */
#define KEYS_KMS_WORDS_MAX   160u /* bytes shown of what a server says */

/* "NOT_FOUND"; NULL: no such status. */
const char *keys_kms_status_name(unsigned status);

/* The value of grpc-status. False: it is no number of a status. */
MORTISE_MUST_CHECK bool keys_kms_status_parse(const char *text, size_t size, unsigned *status);

/* The value of grpc-message: percent-decoded, cut off, nothing left that moves a cursor. */
void keys_kms_status_words(const char *text, size_t size, char words[static KEYS_KMS_WORDS_MAX + 1]);

/*
 * The error for a status other than OK: MORTISE_E_UNREACHABLE when another try may help,
 * MORTISE_E_SOURCE when it will not.
 */
enum mortise_code keys_kms_status_error(unsigned status, const char *words,
					struct mortise_error *err);

/* The same for an HTTP status that stands alone. */
enum mortise_code keys_kms_http_error(unsigned http_status, struct mortise_error *err);

#endif
