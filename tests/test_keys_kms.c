/* SPDX-License-Identifier: MIT */
/*
 * Requests to a KMS and its possible responses, byte by byte. Messages were encoded by protoc
 * 3.21.12 with tests/kms/kms.proto, and with a variant that has more fields; frames and statuses
 * follow "gRPC over HTTP2".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/sources/kms/answer.h"
#include "keys/sources/kms/endpoint.h"
#include "keys/sources/kms/message.h"
#include "keys/sources/kms/text.h"

static void test_endpoints(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host;
		uint16_t port;
	} good[] = {
		{ "grpc://kms.example:4050", false, "kms.example", 4050 },
		{ "kms.example:4050", false, "kms.example", 4050 },
		{ "127.0.0.1", false, "127.0.0.1", 443 },
		{ "GRPC://kms", false, "kms", 443 },
		{ "https://kms.example", true, "kms.example", 443 },
		{ "https://kms.example:", true, "kms.example", 443 },
		{ "grpcs://kms.example:8443", true, "kms.example", 8443 },
		{ "anything+else://kms", true, "kms", 443 },
		{ "https://user:secret@kms.example:1/path?query#fragment", true, "kms.example", 1 },
		{ "https://kms?x", true, "kms", 443 },
		{ "grpc://[::1]:4050", false, "[::1]", 4050 },
		{ "[fe80::1%eth0]:4050", false, "[fe80::1%25eth0]", 4050 },
		{ "[fe80::1%25eth0]", false, "[fe80::1%25eth0]", 443 },
		{ "https://kms_1.example.:65535", true, "kms_1.example.", 65535 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct keys_kms_endpoint endpoint;
		struct mortise_error err = { 0 };

		if (keys_kms_endpoint_parse(good[i].text, &endpoint, &err) ||
		    endpoint.tls != good[i].tls || strcmp(endpoint.host, good[i].host) != 0 ||
		    endpoint.port != good[i].port)
			fail_msg("%s: %d %s %u %s", good[i].text, endpoint.tls, endpoint.host,
				 endpoint.port, err.text);
	}
}

static void test_invalid_endpoints(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
		{ "", "no host" },
		{ "grpc://", "no host" },
		{ "grpc://:4050", "no host" },
		{ "https:///path", "no host" },
		{ "kms:0", "the port is not a number from 1 to 65535" },
		{ "kms:65536", "the port is not a number from 1 to 65535" },
		{ "kms:99999999999999999999", "the port is not a number from 1 to 65535" },
		{ "kms:http", "the port is not a number from 1 to 65535" },
		{ "kms:-1", "the port is not a number from 1 to 65535" },
		{ "::1", "put an IPv6 address in brackets" },
		{ "[::1", "no ']'" },
		{ "[kms]:1", "no IPv6 address" },
		{ "[::1%]:1", "no IPv6 address" },
		{ "[::1]4050", "only a port may follow the host" },
		{ "grpc://k ms", "the host is neither a name nor an address" },
		{ "grpc://k%6ds", "the host is neither a name nor an address" },
		{ "grpc://k\\ms", "the host is neither a name nor an address" },
		{ "grpc://kms\r\nhost: evil", "contains a control character" },
		{ "averylongschemename://kms", "the scheme is too long" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct keys_kms_endpoint endpoint;
		struct mortise_error err = { 0 };

		if (keys_kms_endpoint_parse(bad[i].text, &endpoint, &err) != MORTISE_E_USAGE ||
		    !strstr(err.text, bad[i].why))
			fail_msg("%s: %s", bad[i].text, err.text);
	}
}

/* An error must not repeat text that may be a password. */
static void test_user_not_in_errors(void **state)
{
	struct keys_kms_endpoint endpoint;
	struct mortise_error err;

	(void)state;
	assert_int_equal(keys_kms_endpoint_parse("https://me:hunter2@kms:x", &endpoint, &err),
			 MORTISE_E_USAGE);
	assert_null(strstr(err.text, "hunter2"));
	assert_non_null(strstr(err.text, "kms:x"));
}

static void check_request(const struct keys_kms_request *request, const void *bytes, size_t size)
{
	uint8_t written[512];

	assert_int_equal(keys_kms_request_size(request), size);
	keys_kms_request_write(request, written);
	assert_memory_equal(written, bytes, size);
}

static void test_requests(void **state)
{
	static const uint8_t data[] = { 0, 1, 0xff, ' ', 'a', 'b', 'c' };
	static const char both[] = "\x0a\x24"
				   "8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815"
				   "\x12\x07\x00\x01\xff abc";
	uint8_t many[200], long_one[203];

	(void)state;
	check_request(&(struct keys_kms_request){ "8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815", data,
						  sizeof(data) },
		      both, sizeof(both) - 1);
	/* A length of more than one byte, and a missing field. */
	memset(many, 'x', sizeof(many));
	memcpy(long_one, "\x12\xc8\x01", 3);
	memcpy(long_one + 3, many, sizeof(many));
	check_request(&(struct keys_kms_request){ "", many, sizeof(many) }, long_one,
		      sizeof(long_one));
	check_request(&(struct keys_kms_request){ "", NULL, 0 }, "", 0);
}

#define MESSAGE(text)                  \
	{                              \
		text, sizeof(text) - 1 \
	}

struct message {
	const char *bytes;
	size_t size;
};

static void test_responses(void **state)
{
	static const struct {
		struct message message;
		struct message data;
	} good[] = {
		{ MESSAGE("\x0a\x07\x00\x01\xff abc"), MESSAGE("\x00\x01\xff abc") },
		{ MESSAGE(""), MESSAGE("") },
		{ MESSAGE("\x0a\x00"), MESSAGE("") },
		/* Varint, fixed32, fixed64, string, groups and the largest field number. */
		{ MESSAGE("\x0a\x05"
			  "first\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1d\x07\x00\x00\x00"
			  "\x21\x09\x00\x00\x00\x00\x00\x00\x00\x2a\x07unknown"
			  "\x33\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x34\x33\x34"
			  "\xfa\xff\xff\xff\x0f\x01z"),
		  MESSAGE("first") },
		/* The last occurrence of the field is valid. */
		{ MESSAGE("\x0a\x01"
			  "a\x0a\x01"
			  "b"),
		  MESSAGE("b") },
		/* Field 1 with another type is an unknown field. */
		{ MESSAGE("\x08\x05\x0a\x01"
			  "b"),
		  MESSAGE("b") },
		/* A length that is not in its shortest form is valid. */
		{ MESSAGE("\x0a\x81\x00"
			  "a"),
		  MESSAGE("a") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const uint8_t *data;
		size_t size;

		if (keys_kms_response_read((const uint8_t *)good[i].message.bytes,
					   good[i].message.size, &data, &size, NULL) ||
		    size != good[i].data.size || (size && memcmp(data, good[i].data.bytes, size)))
			fail_msg("message %zu", i);
	}
}

static void test_invalid_responses(void **state)
{
	static const struct message bad[] = {
		MESSAGE("\x0a"),
		MESSAGE("\x0a\x02"
			"a"),
		MESSAGE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
			"a"),
		MESSAGE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"
			"a"),
		MESSAGE("\x0a\x80"),
		MESSAGE("\x02\x00"),
		MESSAGE("\x00"),
		MESSAGE("\x1d\x01\x02\x03"),
		MESSAGE("\x21\x01\x02\x03"),
		MESSAGE("\x0e"),
		MESSAGE("\x0f\x00"),
		MESSAGE("\x33"),
		MESSAGE("\x34"),
		MESSAGE("\x33\x3c"),
		MESSAGE("\xff\xff\xff\xff\x7f\x00"),
		/* A tag of 33 bits, and a value of 65 bits. */
		MESSAGE("\x80\x80\x80\x80\x10\x01"),
		MESSAGE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
		/* Seventeen nested groups. */
		MESSAGE("\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33\x33"
			"\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34\x34"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t *exact = malloc(bad[i].size);
		struct mortise_error err;
		const uint8_t *data;
		size_t size;

		assert_non_null(exact);
		memcpy(exact, bad[i].bytes, bad[i].size);
		if (keys_kms_response_read(exact, bad[i].size, &data, &size, &err) !=
			    MORTISE_E_SOURCE ||
		    data || size || !strstr(err.text, "not a protobuf message"))
			fail_msg("message %zu is accepted", i);
		free(exact);
	}
}

static void test_frames(void **state)
{
	static const struct {
		struct message frame;
		const char *why; /* NULL: valid */
	} frames[] = {
		{ MESSAGE("\0\0\0\0\3abc"), NULL },
		{ MESSAGE("\0\0\0\0\0"), NULL },
		{ MESSAGE(""), "the answer of the KMS is empty" },
		{ MESSAGE("\0\0\0\0"), "4 bytes are too short for a gRPC frame" },
		{ MESSAGE("\1\0\0\0\3abc"), "is compressed" },
		{ MESSAGE("\2\0\0\0\3abc"), "its flag byte is 2" },
		{ MESSAGE("\0\0\0\0\4abc"), "truncated: 3 of 4 bytes received" },
		{ MESSAGE("\0\0\0\0\2abc"), "longer than its frame: 3 bytes instead of 2" },
		{ MESSAGE("\0\xff\xff\xff\xff"
			  "abc"),
		  "too large: 4294967295 bytes" },
		{ MESSAGE("\0\0\0\x14\x01"
			  "abc"),
		  "too large: 5121 bytes" },
	};
	uint8_t head[KEYS_KMS_FRAME_HEAD];

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct mortise_error err = { 0 };
		const uint8_t *message;
		size_t size;
		enum mortise_code code =
			keys_kms_frame_read((const uint8_t *)frames[i].frame.bytes,
					    frames[i].frame.size, &message, &size, &err);

		if (code != (frames[i].why ? MORTISE_E_SOURCE : MORTISE_OK) ||
		    (frames[i].why && !strstr(err.text, frames[i].why)))
			fail_msg("frame %zu: %s", i, err.text);
		if (!code)
			assert_int_equal(size, frames[i].frame.size - KEYS_KMS_FRAME_HEAD);
	}
	keys_kms_frame_head(0x01020304, head);
	assert_memory_equal(head, "\0\1\2\3\4", sizeof(head));
}

/* Creates an answer from header lines, each ending with a newline, and a body. */
static enum mortise_code judge(const char *lines, const struct message *body, const uint8_t **data,
			       struct keys_kms_answer *answer, struct mortise_error *err)
{
	size_t size;

	assert_int_equal(keys_kms_answer_new(answer, err), MORTISE_OK);
	while (*lines) {
		size = strcspn(lines, "\n") + 1;
		keys_kms_answer_header(answer, lines, size);
		lines += size;
	}
	if (keys_kms_answer_body(answer, body->bytes, body->size))
		return keys_kms_answer_read(answer, data, &size, err);
	return keys_kms_answer_read(answer, data, &size, err);
}

#define OK_HEAD "HTTP/2 200\r\ncontent-type: application/grpc\r\n\r\n"

static void test_answers(void **state)
{
	static const struct message frame = MESSAGE("\0\0\0\0\5\x0a\3abc");
	static const struct message nothing = MESSAGE("\0\0\0\0\0");
	static const struct {
		const char *lines;
		const struct message *body;
		enum mortise_code code;
		const char *why;
	} cases[] = {
		{ OK_HEAD "grpc-status: 0\r\n", &frame, MORTISE_OK, "" },
		{ "HTTP/2 200\r\nContent-Type: application/grpc+proto\r\nGrpc-Status:0\r\n", &frame,
		  MORTISE_OK, "" },
		/* Responses of a proxy and informational ones before the final response. */
		{ "HTTP/1.1 200 Connection established\r\ngrpc-status: 7\r\n\r\nHTTP/2 103\r\n"
		  "\r\n" OK_HEAD "grpc-status: 0\r\n",
		  &frame, MORTISE_OK, "" },
		{ OK_HEAD, &frame, MORTISE_E_SOURCE, "has no gRPC status" },
		{ OK_HEAD "grpc-status: 0\r\n", &nothing, MORTISE_E_SOURCE, "contains no data" },
		{ OK_HEAD "grpc-status: 00000\r\n", &frame, MORTISE_E_SOURCE, "outside 0 to 16" },
		{ OK_HEAD "grpc-status: 001\r\n", &frame, MORTISE_E_SOURCE, "outside 0 to 16" },
		{ OK_HEAD "grpc-status: 17\r\n", &frame, MORTISE_E_SOURCE, "outside 0 to 16" },
		{ OK_HEAD "grpc-status: \r\n", &frame, MORTISE_E_SOURCE, "outside 0 to 16" },
		{ "HTTP/2 200\r\ncontent-type: application/grpcweb\r\ngrpc-status: 0\r\n", &frame,
		  MORTISE_E_SOURCE, "content type \"application/grpcweb\"" },
		{ "HTTP/2 200\r\ngrpc-status: 0\r\n", &frame, MORTISE_E_SOURCE,
		  "content type \"\"" },
		{ "HTTP/2 503\r\ncontent-type: text/html\r\n", &frame, MORTISE_E_UNREACHABLE,
		  "HTTP status 503" },
		{ "HTTP/2 404\r\ncontent-type: text/html\r\n", &frame, MORTISE_E_SOURCE,
		  "HTTP status 404" },
		{ "HTTP/2 99999999999\r\n", &frame, MORTISE_E_SOURCE, "HTTP status" },
		/* The gRPC status takes precedence over everything else. */
		{ "HTTP/2 503\r\ngrpc-status: 5\r\ngrpc-message: no %22node%22%0a%1b[2J\r\n",
		  &frame, MORTISE_E_SOURCE, "NOT_FOUND (no \"node\"\\x0a\\x1b[2J)" },
		{ "grpc-status: 14\r\n", &frame, MORTISE_E_UNREACHABLE, "UNAVAILABLE" },
		{ ":\r\n\r\ngarbage\r\n", &frame, MORTISE_E_SOURCE, "HTTP status 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keys_kms_answer answer;
		struct mortise_error err = { 0 };
		const uint8_t *data;

		if (judge(cases[i].lines, cases[i].body, &data, &answer, &err) != cases[i].code ||
		    !strstr(err.text, cases[i].why))
			fail_msg("answer %zu: %s", i, err.text);
		if (!cases[i].code)
			assert_memory_equal(data, "abc", 3);
		keys_kms_answer_clear(&answer);
	}
}

static void test_too_large_answer(void **state)
{
	struct keys_kms_answer answer;
	struct mortise_error err;
	const uint8_t *data;
	char bytes[512] = { 0 };
	size_t size, came = 0;

	(void)state;
	assert_int_equal(keys_kms_answer_new(&answer, &err), MORTISE_OK);
	keys_kms_answer_header(&answer, "HTTP/2 200", 10);
	keys_kms_answer_header(&answer, "content-type: application/grpc", 30);
	while (keys_kms_answer_body(&answer, bytes, sizeof(bytes)))
		came += sizeof(bytes);
	assert_in_range(came, KEYS_KMS_FRAME_MAX - sizeof(bytes), KEYS_KMS_BODY_MAX);
	assert_int_equal(keys_kms_answer_read(&answer, &data, &size, &err), MORTISE_E_SOURCE);
	assert_non_null(strstr(err.text, "too large"));
	keys_kms_answer_clear(&answer);
}

/* Statuses for which gRPC recommends a retry, and three that failing servers send. */
static void test_statuses(void **state)
{
	static const char again[] = "CANCELLED UNKNOWN DEADLINE_EXCEEDED RESOURCE_EXHAUSTED "
				    "ABORTED INTERNAL UNAVAILABLE ";
	char named[32];

	(void)state;
	for (unsigned status = 1; status < KEYS_KMS_STATUSES; status++) {
		struct mortise_error err;
		enum mortise_code code = keys_kms_status_error(status, "words", &err);

		snprintf(named, sizeof(named), "%s ", keys_kms_status_name(status));
		if (code != (strstr(again, named) ? MORTISE_E_UNREACHABLE : MORTISE_E_SOURCE) ||
		    !strstr(err.text, keys_kms_status_name(status)) || !strstr(err.text, "(words)"))
			fail_msg("%u: %s", status, err.text);
	}
	assert_null(keys_kms_status_name(KEYS_KMS_STATUSES));
}

/* Control characters are escaped, and no character is split. */
static void test_text(void **state)
{
	static const struct {
		const char *from;
		size_t room;
		const char *to;
	} cases[] = {
		{ "plain", 16, "plain" },
		{ "\x1b[31mred\r", 16, "\\x1b[31mred\\x0d" },
		{ "\x1b[31mred\r", 15, "\\x1b[31mred" },
		{ "cut off", 4, "cut" },
		{ "a\xc3\xa4", 4, "a\xc3\xa4" },
		{ "a\xc3\xa4", 3, "a" },
		{ "anything", 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char to[16];

		keys_kms_text(to, cases[i].room, cases[i].from, strlen(cases[i].from));
		if (strcmp(to, cases[i].to) != 0)
			fail_msg("text %zu: \"%s\"", i, to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_invalid_endpoints),
		cmocka_unit_test(test_user_not_in_errors),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_invalid_responses),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_too_large_answer),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
