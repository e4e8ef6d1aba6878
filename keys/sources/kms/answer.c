/* SPDX-License-Identifier: MIT */
/* Headers, body and trailers of a unary gRPC call ("gRPC over HTTP2", section "Responses"). */
#include "keys/sources/kms/answer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "keys/sources/kms/message.h"
#include "keys/sources/kms/text.h"

enum mortise_code keys_kms_answer_new(struct keys_kms_answer *answer, struct mortise_error *err)
{
	memset(answer, 0, sizeof(*answer));
	return mortise_secret_new(KEYS_KMS_BODY_MAX, &answer->body, err);
}

void keys_kms_answer_clear(struct keys_kms_answer *answer)
{
	mortise_secret_free(&answer->body);
	answer->body = NULL;
}

/* Parses "HTTP/2 200", and forgets the headers of an informational response before it. */
static void begin_response(struct keys_kms_answer *answer, const char *line, size_t size)
{
	const char *blank = memchr(line, ' ', size);
	const char *end = line + size;

	answer->http_status = 0;
	answer->content_type[0] = '\0';
	answer->has_status = answer->bad_status = false;
	answer->words[0] = '\0';
	for (const char *at = blank ? blank + 1 : end;
	     at < end && isdigit((unsigned char)*at) && answer->http_status < 1000; at++)
		answer->http_status = answer->http_status * 10 + (unsigned)(*at - '0');
}

static bool is_name(const char *line, size_t size, const char *name)
{
	return size == strlen(name) && strncasecmp(line, name, size) == 0;
}

void keys_kms_answer_header(struct keys_kms_answer *answer, const char *line, size_t size)
{
	const char *colon, *value;
	size_t name_size, value_size;

	while (size && isspace((unsigned char)line[size - 1]))
		size--;
	if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		begin_response(answer, line, size);
		return;
	}
	colon = memchr(line, ':', size);
	if (!colon)
		return;
	name_size = (size_t)(colon - line);
	value = colon + 1;
	value_size = size - name_size - 1;
	while (value_size && isspace((unsigned char)*value)) {
		value++;
		value_size--;
	}
	if (is_name(line, name_size, "content-type")) {
		keys_kms_text(answer->content_type, sizeof(answer->content_type), value,
			      value_size);
	} else if (is_name(line, name_size, "grpc-status")) {
		answer->has_status = true;
		answer->bad_status = !keys_kms_status_parse(value, value_size, &answer->status);
	} else if (is_name(line, name_size, "grpc-message")) {
		keys_kms_status_words(value, value_size, answer->words);
	}
}

bool keys_kms_answer_body(struct keys_kms_answer *answer, const void *bytes, size_t size)
{
	if (size > KEYS_KMS_BODY_MAX - answer->size) {
		answer->overflow = true;
		return false;
	}
	memcpy(mortise_secret_writable(answer->body) + answer->size, bytes, size);
	answer->size += size;
	return true;
}

/* Matches "application/grpc", alone or followed by "+proto" or parameters. */
static bool is_grpc(const char *content_type)
{
	static const char grpc[] = "application/grpc";
	const size_t length = sizeof(grpc) - 1;

	return strncasecmp(content_type, grpc, length) == 0 &&
	       (!content_type[length] || strchr("+; ", content_type[length]));
}

enum mortise_code keys_kms_answer_read(const struct keys_kms_answer *answer, const uint8_t **data,
				       size_t *data_size, struct mortise_error *err)
{
	const uint8_t *message;
	enum mortise_code code;
	size_t size;

	*data = NULL;
	*data_size = 0;
	if (answer->bad_status)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS has a grpc-status outside 0 to %u",
				 KEYS_KMS_STATUSES - 1);
	/* Takes precedence over the HTTP status and content type, which a proxy may have set. */
	if (answer->has_status && answer->status != KEYS_KMS_STATUS_OK)
		return keys_kms_status_error(answer->status, answer->words, err);
	if (answer->http_status != 200)
		return keys_kms_http_error(answer->http_status, err);
	if (!is_grpc(answer->content_type))
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the answer has the content type \"%s\", not application/grpc; check "
			"that the endpoint is a KMS",
			answer->content_type);
	if (answer->overflow)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS is too large: more than %u bytes",
				 KEYS_KMS_BODY_MAX);
	if (!answer->has_status)
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the answer of the KMS has no gRPC status; a proxy may have removed "
			"the trailers");
	code = keys_kms_frame_read(mortise_secret_data(answer->body), answer->size, &message, &size,
				   err);
	if (!code)
		code = keys_kms_response_read(message, size, data, data_size, err);
	if (!code && !*data_size)
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "the answer of the KMS contains no data");
	return code;
}
