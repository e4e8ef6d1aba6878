/* SPDX-License-Identifier: MIT */
/* The result of a gRPC call: the server's status and message. */
#ifndef KEYS_KMS_STATUS_H
#define KEYS_KMS_STATUS_H

#include <mortise.h>

#define KEYS_KMS_STATUS_OK   0u
#define KEYS_KMS_STATUSES    17u  /* 0 to 16 */
#define KEYS_KMS_WORDS_MAX   160u /* maximum bytes of a server's message to show */

/* Returns the name of a status, like "NOT_FOUND", or NULL if the number is too large. */
const char *keys_kms_status_name(unsigned status);

/* Parses the value of grpc-status. Returns false if it is not the number of a status. */
MORTISE_MUST_CHECK bool keys_kms_status_parse(const char *text, size_t size, unsigned *status);

/* Decodes, shortens and sanitizes (see keys_kms_text()) the value of grpc-message. */
void keys_kms_status_words(const char *text, size_t size,
			   char words[static KEYS_KMS_WORDS_MAX + 1]);

/*
 * Sets the error for a status other than OK. MORTISE_E_UNREACHABLE: another attempt may succeed.
 * MORTISE_E_SOURCE: it will not.
 */
enum mortise_code keys_kms_status_error(unsigned status, const char *words,
					struct mortise_error *err);

/* Sets the error for an HTTP status without a gRPC status, with the same codes. */
enum mortise_code keys_kms_http_error(unsigned http_status, struct mortise_error *err);

#endif
