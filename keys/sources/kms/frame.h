/* SPDX-License-Identifier: MIT */
/* gRPC's length-prefixed message: a flag byte, four bytes of length, the message. */
#ifndef KEYS_KMS_FRAME_H
#define KEYS_KMS_FRAME_H

#include <mortise.h>

#include "keys/sources/kms/kms.h"

#define KEYS_KMS_FRAME_HEAD 5u
/* Bytes of an answer's message: what may be sealed, and fields that we do not know. */
#define KEYS_KMS_MESSAGE_MAX (KEYS_KMS_SEALED_MAX + 1024u)
#define KEYS_KMS_FRAME_MAX   (KEYS_KMS_FRAME_HEAD + KEYS_KMS_MESSAGE_MAX)

void keys_kms_frame_head(uint32_t message_size, uint8_t head[static KEYS_KMS_FRAME_HEAD]);

/*
 * The one message in bytes, uncompressed as we ask for none other; *message points into bytes.
 * MORTISE_E_SOURCE says what is wrong with the frame.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_frame_read(const uint8_t *bytes, size_t size,
							 const uint8_t **message,
							 size_t *message_size,
							 struct mortise_error *err);

#endif
