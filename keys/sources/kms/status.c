/* SPDX-License-Identifier: MIT */
/* The meaning of each gRPC status for a key, and whether another attempt may succeed. */
#include "keys/sources/kms/status.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "keys/sources/kms/text.h"

/* Maximum bytes of grpc-message that are decoded; each may be encoded as three. */
#define ENCODED_MAX 512u

#define AGAIN	    MORTISE_E_UNREACHABLE
#define NEVER	    MORTISE_E_SOURCE

/*
 * Another attempt is made for the statuses that gRPC considers transient (UNAVAILABLE,
 * RESOURCE_EXHAUSTED, ABORTED, DEADLINE_EXCEEDED), and for three more: servers return INTERNAL and
 * UNKNOWN for any failure behind them (a database, an HSM), and CANCELLED while they shut down. An
 * attempt too many costs a boot some seconds of --wait; an attempt too few leaves a volume locked.
 */
static const struct {
	const char *name;
	enum mortise_code code;
	const char *meaning;
} statuses[] = {
	[0] = { "OK", NEVER, "not an error" },
	[1] = { "CANCELLED", AGAIN, "it canceled the call; it may be shutting down" },
	[2] = { "UNKNOWN", AGAIN, "it failed without a reason; see its log" },
	[3] = { "INVALID_ARGUMENT", NEVER,
		"it does not accept this data; another KMS may have sealed it" },
	[4] = { "DEADLINE_EXCEEDED", AGAIN, "it did not finish in time; it may be overloaded" },
	[5] = { "NOT_FOUND", NEVER,
		"it has no key for the UUID of this node; add the node to the KMS" },
	[6] = { "ALREADY_EXISTS", NEVER, "it already has an entry for this node" },
	[7] = { "PERMISSION_DENIED", NEVER,
		"it does not give this node keys; allow the node in the KMS" },
	[8] = { "RESOURCE_EXHAUSTED", AGAIN, "it receives too many requests" },
	[9] = { "FAILED_PRECONDITION", NEVER,
		"it cannot do this in its current state; it may be sealed itself" },
	[10] = { "ABORTED", AGAIN, "another request interfered" },
	[11] = { "OUT_OF_RANGE", NEVER, "a value in the request is out of range" },
	[12] = { "UNIMPLEMENTED", NEVER,
		 "it does not provide sidero.kms.KMSService; check that the endpoint is a KMS" },
	[13] = { "INTERNAL", AGAIN, "it had an internal error; see its log" },
	[14] = { "UNAVAILABLE", AGAIN, "it is not ready to answer" },
	[15] = { "DATA_LOSS", NEVER, "it has lost data; restore its backup" },
	[16] = { "UNAUTHENTICATED", NEVER,
		 "it requires a client certificate; give one with --kms-cert and --kms-key" },
};

_Static_assert(sizeof(statuses) / sizeof(statuses[0]) == KEYS_KMS_STATUSES,
	       "each status has a meaning");

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

		/* An invalid escape is copied unchanged, as the specification requires. */
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
				 "the KMS returned %u, which is not a gRPC status", status);
	return error_set(err, statuses[status].code, 0, "the KMS returned %s%s%s%s: %s",
			 statuses[status].name, *words ? " (" : "", words, *words ? ")" : "",
			 statuses[status].meaning);
}

enum mortise_code keys_kms_http_error(unsigned http_status, struct mortise_error *err)
{
	/* gRPC ("HTTP to gRPC Status Code Mapping") maps these to UNAVAILABLE. */
	switch (http_status) {
	case 429:
	case 502:
	case 503:
	case 504:
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "HTTP status %u: a server in front of the KMS reports that it is "
				 "not ready to answer",
				 http_status);
	case 401:
	case 403:
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "HTTP status %u: a server in front of the KMS denies this machine "
				 "access",
				 http_status);
	case 404:
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "HTTP status 404: there is no KMS at this address");
	default:
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "HTTP status %u instead of 200; check that the endpoint is a KMS",
				 http_status);
	}
}
