/* SPDX-License-Identifier: MIT */
/* The request and response of sidero.kms.KMSService in protobuf's wire format. */
#ifndef KEYS_KMS_MESSAGE_H
#define KEYS_KMS_MESSAGE_H

#include <mortise.h>

/* The request of both methods: { string node_uuid = 1; bytes data = 2; } */
struct keys_kms_request {
	const char *node_uuid;
	const uint8_t *data;
	size_t data_size;
};

/* Returns the size of the encoded request in bytes. */
size_t keys_kms_request_size(const struct keys_kms_request *request);
/* Writes exactly keys_kms_request_size() bytes. */
void keys_kms_request_write(const struct keys_kms_request *request, uint8_t *bytes);

/*
 * Reads the response of both methods: { bytes data = 1; }. *data points into bytes; *data_size is 0
 * if the message has no data. Unknown fields are skipped; the last data field is used.
 * MORTISE_E_SOURCE: not a valid message; the error names the byte.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_response_read(const uint8_t *bytes, size_t size,
							    const uint8_t **data, size_t *data_size,
							    struct mortise_error *err);

#endif
