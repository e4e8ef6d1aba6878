/* SPDX-License-Identifier: MIT */
/* What each gRPC status means for a key, and whether to ask again. */
#include "keys/sources/kms/status.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "keys/sources/kms/text.h"

/* Of grpc-message read at most: each byte may be written as three. */
#define ENCODED_MAX 512u

#define AGAIN	    MORTISE_E_UNREACHABLE
#define NEVER	    MORTISE_E_SOURCE

/*
 * Worth another try is what gRPC itself calls so (UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED,
 * DEADLINE_EXCEEDED), and three more: INTERNAL and UNKNOWN are what servers make of any failure
 * behind them (a database, an HSM), CANCELLED what they answer while they stop. A try too many
 * costs a boot some seconds of --wait, a try too few leaves it locked.
 */
static const struct {
	const char *name;
	enum mortise_code code;
	const char *meaning;
} statuses[] = {
	[0] = { "OK", NEVER, "which is no failure" },
	[1] = { "CANCELLED", AGAIN, "it gave up the call, as servers do while they stop" },
	[2] = { "UNKNOWN", AGAIN, "it failed and does not say how; its log may" },
	[3] = { "INVALID_ARGUMENT", NEVER,
		"it does not take these bytes; were they sealed by another KMS?" },
	[4] = { "DEADLINE_EXCEEDED", AGAIN, "it was not done in time; it may be overloaded" },
	[5] = { "NOT_FOUND", NEVER, "it has no key for the UUID of this node; enter it there" },
	[6] = { "ALREADY_EXISTS", NEVER, "it has something for this node already" },
	[7] = { "PERMISSION_DENIED", NEVER, "it does not let this node have keys; allow it there" },
	[8] = { "RESOURCE_EXHAUSTED", AGAIN, "it is asked too much at once" },
	[9] = { "FAILED_PRECONDITION", NEVER,
		"it cannot do this in the state that it is in; is it sealed itself?" },
	[10] = { "ABORTED", AGAIN, "another request got in the way" },
	[11] = { "OUT_OF_RANGE", NEVER, "something sent to it is out of bounds" },
	[12] = { "UNIMPLEMENTED", NEVER,
		 "it speaks gRPC but has no sidero.kms.KMSService; is this the address of a KMS?" },
	[13] = { "INTERNAL", AGAIN, "something broke inside it; see its log" },
	[14] = { "UNAVAILABLE", AGAIN, "it is not ready to answer" },
	[15] = { "DATA_LOSS", NEVER, "it has lost data; see to its own backup" },
	[16] = { "UNAUTHENTICATED", NEVER,
		 "it wants to know who asks; give a certificate with --kms-cert and --kms-key" },
};

_Static_assert(sizeof(statuses) / sizeof(statuses[0]) == KEYS_KMS_STATUSES,
	       "each status has its meaning");

const char *keys_kms_status_name(unsigned status)
{
	return status < KEYS_KMS_STATUSES ? statuses[status].name : NULL;
}

bool keys_kms_status_parse(const char *text, size_t size, unsigned *status)
{
	*status = 0;
	if (!size || size > 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		*status = *status * 10 + (unsigned)(text[i] - '0');
	}
	return *status < KEYS_KMS_STATUSES;
}

void keys_kms_status_words(const char *text, size_t size, char words[static KEYS_KMS_WORDS_MAX + 1])
{
	char decoded[ENCODED_MAX];
	size_t length = 0;

	if (size > ENCODED_MAX)
		size = ENCODED_MAX;
	for (size_t i = 0; i < size; i++) {
		const int high = text[i] == '%' && size - i > 2 ? hex_digit(text[i + 1]) : -1;
		const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		/* What is no escape stands for itself, as the specification wants it. */
		if (low >= 0) {
			decoded[length++] = (char)(high << 4 | low);
			i += 2;
		} else {
			decoded[length++] = text[i];
		}
	}
	keys_kms_text(words, KEYS_KMS_WORDS_MAX + 1, decoded, length);
}

enum mortise_code keys_kms_status_error(unsigned status, const char *words,
					struct mortise_error *err)
{
	if (status >= KEYS_KMS_STATUSES)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the KMS answers with %u, which is no status of gRPC", status);
	return error_set(err, statuses[status].code, 0, "the KMS answers %s%s%s%s: %s",
			 statuses[status].name, *words ? " (" : "", words, *words ? ")" : "",
			 statuses[status].meaning);
}

enum mortise_code keys_kms_http_error(unsigned http_status, struct mortise_error *err)
{
	/* gRPC's own mapping ("HTTP to gRPC Status Code Mapping") calls these UNAVAILABLE. */
	switch (http_status) {
	case 429:
	case 502:
	case 503:
	case 504:
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "HTTP status %u: something in front of the KMS says that it is "
				 "not ready to answer",
				 http_status);
	case 401:
	case 403:
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "HTTP status %u: something in front of the KMS does not let this "
				 "machine in",
				 http_status);
	case 404:
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "HTTP status 404: there is no KMS at this address");
	default:
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"HTTP status %u, where gRPC has 200: is this the address of a KMS?",
			http_status);
	}
}
