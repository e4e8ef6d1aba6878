/* SPDX-License-Identifier: MIT */
/* The two messages of sidero.kms.KMSService in protobuf's wire format. */
#ifndef KEYS_KMS_MESSAGE_H
#define KEYS_KMS_MESSAGE_H

#include <mortise.h>

/* What both methods are asked: { string node_uuid = 1; bytes data = 2; } */
struct keys_kms_request {
	const char *node_uuid;
	const uint8_t *data;
	size_t data_size;
};

/* Bytes of the encoded request. */
size_t keys_kms_request_size(const struct keys_kms_request *request);
/* Writes exactly that many. */
void keys_kms_request_write(const struct keys_kms_request *request, uint8_t *bytes);

/*
 * Both answer { bytes data = 1; }: *data points into bytes, and *data_size is 0 when there is
 * none. Fields that we do not know are passed over; of several data the last counts.
 * MORTISE_E_SOURCE says at which byte it is no message.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_response_read(const uint8_t *bytes, size_t size,
							    const uint8_t **data, size_t *data_size,
							    struct mortise_error *err);

#endif
