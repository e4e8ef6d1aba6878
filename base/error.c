/* SPDX-License-Identifier: MIT */
/* Filling struct mortise_error, and the text and exit status of each code. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	int exit_status;
} codes[] = {
	[MORTISE_OK] = { "done", 0 },
	[MORTISE_E_USAGE] = { "wrong or missing parameters", 1 },
	[MORTISE_E_SYSTEM] = { "system call failed", 1 },
	[MORTISE_E_KEY] = { "wrong key", 2 },
	[MORTISE_E_NO_KEYSLOT] = { "no such keyslot", 1 },
	[MORTISE_E_NO_TOKEN] = { "no such token", 1 },
	[MORTISE_E_MEMORY] = { "not enough memory", 3 },
	[MORTISE_E_DEVICE] = { "device not accessible", 4 },
	[MORTISE_E_INACTIVE] = { "device not active", 4 },
	[MORTISE_E_BUSY] = { "device busy", 5 },
	[MORTISE_E_EXISTS] = { "exists already", 5 },
	[MORTISE_E_NOT_LUKS2] = { "no LUKS2 header", 1 },
	[MORTISE_E_CORRUPT] = { "LUKS2 header damaged", 1 },
	[MORTISE_E_POLICY] = { "refused by policy", 1 },
	[MORTISE_E_UNSUPPORTED] = { "not supported", 1 },
	[MORTISE_E_NO_SPACE] = { "no room", 1 },
	[MORTISE_E_CHANGED] = { "changed by another process", 1 },
	[MORTISE_E_NOT_EMPTY] = { "device not empty", 1 },
	[MORTISE_E_CONFIG] = { "configuration not valid", 1 },
	[MORTISE_E_WAIT] = { "waiting for something else", 1 },
	[MORTISE_E_KERNEL] = { "kernel lacks device-mapper or a target", 1 },
	[MORTISE_E_UNREACHABLE] = { "KMS or TPM does not answer", 1 },
	[MORTISE_E_SOURCE] = { "KMS or TPM provides no key", 1 },
	[MORTISE_E_CANCELED] = { "canceled", 1 },
	[MORTISE_E_STALE] = { "TPM can no longer unseal this", 1 },
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

_Static_assert(CODES == MORTISE_E_STALE + 1, "each code has a text and an exit status");

const char *mortise_code_text(enum mortise_code code)
{
	return (size_t)code < CODES ? codes[code].text : "unknown error";
}

int mortise_exit_status(enum mortise_code code)
{
	return (size_t)code < CODES ? codes[code].exit_status : 1;
}

/* What does not fit is cut off. */
static void append(char text[static MORTISE_ERROR_TEXT], const char *more)
{
	const size_t length = strlen(text), room = MORTISE_ERROR_TEXT - 1 - length;
	const size_t added = strnlen(more, room);

	memcpy(text + length, more, added);
	text[length + added] = '\0';
}

/* The arguments may point into err->text: the sentence is put together beside it. */
__attribute__((format(printf, 5, 0))) static void fill(struct mortise_error *err,
						       enum mortise_code code, int sys,
						       uint64_t offset, const char *format,
						       va_list ap)
{
	char text[MORTISE_ERROR_TEXT];

	vsnprintf(text, sizeof(text), format, ap);
	if (sys) {
		append(text, ": ");
		/* Of one thread in glibc since 2.32 and in musl; strerror_r(3) is another in each. */
		append(text, strerror(sys));
	}
	err->code = code;
	err->sys_errno = sys;
	err->offset = offset;
	memcpy(err->text, text, sizeof(text));
}

enum mortise_code error_set(struct mortise_error *err, enum mortise_code code, int sys,
			    const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		fill(err, code, sys, UINT64_MAX, format, ap);
		va_end(ap);
	}
	return code;
}

enum mortise_code error_set_at(struct mortise_error *err, enum mortise_code code, int sys,
			       uint64_t offset, const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		fill(err, code, sys, offset, format, ap);
		va_end(ap);
	}
	return code;
}

enum mortise_code error_memory(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_MEMORY, 0, "out of memory");
}

void error_prefix(struct mortise_error *err, const char *format, ...)
{
	char text[MORTISE_ERROR_TEXT];
	va_list ap;

	if (!err)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	append(text, ": ");
	append(text, err->text);
	memcpy(err->text, text, sizeof(text));
}
