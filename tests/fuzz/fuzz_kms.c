/* SPDX-License-Identifier: MIT */
/*
 * Responses of a hostile KMS, and endpoints. The first byte selects the parser for the rest of the
 * input. A response is its header lines, a zero byte and its body.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/sources/kms/answer.h"
#include "keys/sources/kms/endpoint.h"
#include "keys/sources/kms/message.h"
#include "tests/fuzz/fuzz.h"

enum kind { ENDPOINT, RESPONSE, FRAME, ANSWER };
const char *const fuzz_kinds[] = { "endpoints", "responses", "frames", "answers", NULL };

/* Messages are printed on consoles. */
static void harmless(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			abort();
}

/* An error must have its code and a printable message. */
static void failed(enum mortise_code code, const struct mortise_error *err)
{
	if (code != err->code || !*err->text)
		abort();
	harmless(err->text);
}

static void endpoint(const uint8_t *bytes, size_t size)
{
	struct keys_kms_endpoint endpoint;
	struct mortise_error err;
	enum mortise_code code;
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, bytes, size);
	text[size] = '\0';
	/* An accepted endpoint becomes part of a URL. */
	code = keys_kms_endpoint_parse(text, &endpoint, &err);
	if (code)
		failed(code, &err);
	else if (!endpoint.host[0] || !endpoint.port || strpbrk(endpoint.host, "/@ \r\n?#\\"))
		abort();
	if (!code)
		fuzz_accepted(ENDPOINT);
	free(text);
}

static void inside(const uint8_t *data, size_t data_size, const uint8_t *bytes, size_t size)
{
	if (data && (data < bytes || data + data_size > bytes + size))
		abort();
}

static void message(const uint8_t *bytes, size_t size)
{
	struct mortise_error err;
	enum mortise_code code;
	const uint8_t *data;
	size_t data_size;

	code = keys_kms_response_read(bytes, size, &data, &data_size, &err);
	if (code)
		failed(code, &err);
	else
		fuzz_accepted(RESPONSE);
	inside(data, data_size, bytes, size);
	code = keys_kms_frame_read(bytes, size, &data, &data_size, &err);
	if (code)
		failed(code, &err);
	else
		fuzz_accepted(FRAME);
	inside(data, data_size, bytes, size);
}

static void answer(const uint8_t *bytes, size_t size)
{
	struct keys_kms_answer answer;
	struct mortise_error err;
	enum mortise_code code;
	const uint8_t *data, *body = memchr(bytes, 0, size);
	size_t lines = body ? (size_t)(body - bytes) : size, at = 0, data_size;

	if (keys_kms_answer_new(&answer, &err))
		abort();
	while (at < lines) {
		const uint8_t *end = memchr(bytes + at, '\n', lines - at);
		size_t length = end ? (size_t)(end - bytes) + 1 - at : lines - at;

		keys_kms_answer_header(&answer, (const char *)bytes + at, length);
		at += length;
	}
	if (body && !keys_kms_answer_body(&answer, body + 1, size - lines - 1) && !answer.overflow)
		abort();
	harmless(answer.content_type);
	harmless(answer.words);
	code = keys_kms_answer_read(&answer, &data, &data_size, &err);
	if (code)
		failed(code, &err);
	else if (!data_size)
		abort();
	else
		fuzz_accepted(ANSWER);
	inside(data, data_size, mortise_secret_data(answer.body), answer.size);
	keys_kms_answer_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 3 == 0)
		endpoint(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		message(data + 1, size - 1);
	else
		answer(data + 1, size - 1);
	return 0;
}
