/* SPDX-License-Identifier: MIT */
/* The "Length-Prefixed-Message" of gRPC over HTTP/2. */
#include "keys/sources/kms/frame.h"

#include "base/error.h"

void keys_kms_frame_head(uint32_t message_size, uint8_t head[static KEYS_KMS_FRAME_HEAD])
{
	head[0] = 0;
	for (unsigned i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(message_size >> (24 - 8 * i));
}

enum mortise_code keys_kms_frame_read(const uint8_t *bytes, size_t size, const uint8_t **message,
				      size_t *message_size, struct mortise_error *err)
{
	uint32_t length = 0;

	*message = NULL;
	*message_size = 0;
	if (!size)
		return error_set(err, MORTISE_E_SOURCE, 0, "the answer of the KMS is empty");
	if (size < KEYS_KMS_FRAME_HEAD)
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the answer of the KMS is truncated: %zu bytes are too short for a "
			"gRPC frame",
			size);
	if (bytes[0] == 1)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS is compressed, which was not requested");
	if (bytes[0])
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS is not a gRPC frame: its flag byte is %u",
				 bytes[0]);
	for (unsigned i = 0; i < 4; i++)
		length = length << 8 | bytes[1 + i];
	if (length > KEYS_KMS_MESSAGE_MAX)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS is too large: %u bytes; the maximum is %u",
				 length, KEYS_KMS_MESSAGE_MAX);
	if (size - KEYS_KMS_FRAME_HEAD < length)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS is truncated: %zu of %u bytes received",
				 size - KEYS_KMS_FRAME_HEAD, length);
	if (size - KEYS_KMS_FRAME_HEAD > length)
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the answer of the KMS is longer than its frame: %zu bytes instead of %u",
			size - KEYS_KMS_FRAME_HEAD, length);
	*message = bytes + KEYS_KMS_FRAME_HEAD;
	*message_size = length;
	return MORTISE_OK;
}
