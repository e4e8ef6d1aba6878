/* SPDX-License-Identifier: MIT */
/* gRPC's length-prefixed message: a flag byte, four bytes of length, and the message. */
#ifndef KEYS_KMS_FRAME_H
#define KEYS_KMS_FRAME_H

#include <mortise.h>

#include "keys/sources/kms/kms.h"

#define KEYS_KMS_FRAME_HEAD 5u
/* Maximum size of the message in an answer: the sealed data, and room for unknown fields. */
#define KEYS_KMS_MESSAGE_MAX (KEYS_KMS_SEALED_MAX + 1024u)
#define KEYS_KMS_FRAME_MAX   (KEYS_KMS_FRAME_HEAD + KEYS_KMS_MESSAGE_MAX)

void keys_kms_frame_head(uint32_t message_size, uint8_t head[static KEYS_KMS_FRAME_HEAD]);

/*
 * Finds the message in a frame. It must be the only one, and uncompressed, since the request
 * accepts no compression. *message points into bytes. MORTISE_E_SOURCE: the frame is invalid.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_frame_read(const uint8_t *bytes, size_t size,
							 const uint8_t **message,
							 size_t *message_size,
							 struct mortise_error *err);

#endif
