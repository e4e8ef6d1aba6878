/* SPDX-License-Identifier: MIT */
/* The part of protobuf's wire format (protobuf.dev, "Encoding") that two fields need. */
#include "keys/sources/kms/message.h"

#include <string.h>

#include "base/error.h"

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32 = 5,
};

#define TAG(field, type) ((uint8_t)((field) << 3 | (type)))

#define NODE_UUID	 1u
#define REQUEST_DATA	 2u
#define RESPONSE_DATA	 1u

/* Maximum nesting of groups, which are obsolete since proto2. */
#define DEPTH_MAX	 16u

static size_t varint_size(uint64_t value)
{
	size_t size = 1;

	while (value >>= 7)
		size++;
	return size;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

/* An empty field is omitted, as in proto3. */
static size_t field_size(size_t size)
{
	return size ? 1 + varint_size(size) + size : 0;
}

static uint8_t *put_field(uint8_t *at, unsigned field, const void *bytes, size_t size)
{
	if (!size)
		return at;
	*at++ = TAG(field, WIRE_BYTES);
	at = put_varint(at, size);
	memcpy(at, bytes, size);
	return at + size;
}

size_t keys_kms_request_size(const struct keys_kms_request *request)
{
	return field_size(strlen(request->node_uuid)) + field_size(request->data_size);
}

void keys_kms_request_write(const struct keys_kms_request *request, uint8_t *bytes)
{
	bytes = put_field(bytes, NODE_UUID, request->node_uuid, strlen(request->node_uuid));
	put_field(bytes, REQUEST_DATA, request->data, request->data_size);
}

/* The unread part of a message. */
struct reader {
	const uint8_t *at, *end;
};

static bool get_varint(struct reader *reader, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; reader->at < reader->end; shift += 7) {
		const uint8_t byte = *reader->at++;

		/* The tenth byte has only bit 63 of the value. */
		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool get_bytes(struct reader *reader, uint64_t size, const uint8_t **bytes)
{
	if (size > (uint64_t)(reader->end - reader->at))
		return false;
	*bytes = reader->at;
	reader->at += size;
	return true;
}

/* Reads a field number, which has 29 bits and is not 0, and a type. */
static bool get_tag(struct reader *reader, uint32_t *field, enum wire_type *type)
{
	uint64_t tag;

	if (!get_varint(reader, &tag) || tag > UINT32_MAX || !(tag >> 3))
		return false;
	*field = (uint32_t)tag >> 3;
	*type = (enum wire_type)(tag & 7);
	return true;
}

/* Skips the value of a field other than a group. */
static bool skip_value(struct reader *reader, enum wire_type type)
{
	const uint8_t *bytes;
	uint64_t value;

	switch (type) {
	case WIRE_VARINT:
		return get_varint(reader, &value);
	case WIRE_64:
		return get_bytes(reader, 8, &bytes);
	case WIRE_BYTES:
		return get_varint(reader, &value) && get_bytes(reader, value, &bytes);
	case WIRE_32:
		return get_bytes(reader, 4, &bytes);
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		break;
	}
	return false;
}

enum mortise_code keys_kms_response_read(const uint8_t *bytes, size_t size, const uint8_t **data,
					 size_t *data_size, struct mortise_error *err)
{
	struct reader reader = { bytes, bytes + size };
	const uint8_t *start = bytes, *content;
	uint32_t groups[DEPTH_MAX], field;
	enum wire_type type;
	unsigned depth = 0;
	uint64_t length;

	*data = NULL;
	*data_size = 0;
	while (reader.at < reader.end) {
		start = reader.at;
		if (!get_tag(&reader, &field, &type))
			goto bad;
		if (type == WIRE_GROUP) {
			if (depth == DEPTH_MAX)
				goto bad;
			groups[depth++] = field;
		} else if (type == WIRE_GROUP_END) {
			if (!depth || groups[--depth] != field)
				goto bad;
		} else if (depth || field != RESPONSE_DATA || type != WIRE_BYTES) {
			if (!skip_value(&reader, type))
				goto bad;
		} else {
			if (!get_varint(&reader, &length) || !get_bytes(&reader, length, &content))
				goto bad;
			*data = content;
			*data_size = (size_t)length;
		}
	}
	if (!depth)
		return MORTISE_OK;
bad:
	*data = NULL;
	*data_size = 0;
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the answer of the KMS is not a protobuf message: it is truncated or "
			 "invalid at byte %zu of %zu",
			 (size_t)(start - bytes), size);
}
