/* SPDX-License-Identifier: MIT */
/* Fills struct mortise_error, and has the text and exit status of each code. */
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
	[MORTISE_E_EXISTS] = { "already exists", 5 },
	[MORTISE_E_NOT_LUKS2] = { "no LUKS2 header", 1 },
	[MORTISE_E_CORRUPT] = { "LUKS2 header damaged", 1 },
	[MORTISE_E_POLICY] = { "refused by policy", 1 },
	[MORTISE_E_UNSUPPORTED] = { "not supported", 1 },
	[MORTISE_E_NO_SPACE] = { "not enough space", 1 },
	[MORTISE_E_CHANGED] = { "changed by another process", 1 },
	[MORTISE_E_NOT_EMPTY] = { "device not empty", 1 },
	[MORTISE_E_CONFIG] = { "invalid configuration", 1 },
	[MORTISE_E_WAIT] = { "not ready yet", 1 },
	[MORTISE_E_KERNEL] = { "kernel lacks device-mapper or a target", 1 },
	[MORTISE_E_UNREACHABLE] = { "KMS or TPM does not answer", 1 },
	[MORTISE_E_SOURCE] = { "KMS or TPM provides no key", 1 },
	[MORTISE_E_CANCELED] = { "canceled", 1 },
	[MORTISE_E_STALE] = { "TPM can no longer unseal this", 1 },
	[MORTISE_E_PIN] = { "PIN required", 2 },
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

_Static_assert(CODES == MORTISE_E_PIN + 1, "each code has a text and an exit status");

const char *mortise_code_text(enum mortise_code code)
{
	return (size_t)code < CODES ? codes[code].text : "unknown error";
}

int mortise_exit_status(enum mortise_code code)
{
	return (size_t)code < CODES ? codes[code].exit_status : 1;
}

/* Replaces text, which may name things that an attacker chose. */
static void set_text(struct mortise_error *err, const char *text)
{
	size_t size = strlen(text);
	const size_t written =
		mortise_escape(MORTISE_ESCAPE_LINE, &text, &size, err->text, sizeof(err->text) - 1);

	err->text[written] = '\0';
}

/* Appends more, shortened to the room that is left. */
static void append_text(char text[static MORTISE_ERROR_TEXT], const char *more)
{
	const size_t length = strlen(text), room = MORTISE_ERROR_TEXT - 1 - length;
	const size_t added = strnlen(more, room);

	memcpy(text + length, more, added);
	text[length + added] = '\0';
}

/* The arguments may point into err->text, so the text is built in another buffer. */
__attribute__((format(printf, 5, 0))) static void fill_error(struct mortise_error *err,
							     enum mortise_code code, int sys,
							     uint64_t offset, const char *format,
							     va_list ap)
{
	char text[MORTISE_ERROR_TEXT];

	vsnprintf(text, sizeof(text), format, ap);
	if (sys) {
		append_text(text, ": ");
		/* Thread-safe in musl and glibc >= 2.32, whose strerror_r(3) differ. */
		append_text(text, strerror(sys));
	}
	err->code = code;
	err->sys_errno = sys;
	err->offset = offset;
	set_text(err, text);
}

enum mortise_code error_set(struct mortise_error *err, enum mortise_code code, int sys,
			    const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		fill_error(err, code, sys, UINT64_MAX, format, ap);
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
		fill_error(err, code, sys, offset, format, ap);
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
	append_text(text, ": ");
	append_text(text, err->text);
	set_text(err, text);
}
