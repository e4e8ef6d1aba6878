/* SPDX-License-Identifier: MIT */
/* Output: errors, verbose messages, hex. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/write.h"

enum status fail(const struct command *c, const struct mortise_error *err)
{
	if (err->text[0] != '\0')
		print_to(stderr, "%s\n", err->text);
	if (option_set(&c->options, OPTION_DEBUG)) {
		print("# %s, errno %d", mortise_code_text(err->code), err->sys_errno);
		if (err->offset != UINT64_MAX)
			print(", at byte %" PRIu64, err->offset);
		print("\n");
	}
	return (enum status)mortise_exit_status(err->code);
}

enum status fail_with(enum status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprint_to(stderr, format, arguments);
	va_end(arguments);
	print_to(stderr, "\n");
	return status;
}

enum status fail_passphrase(const struct command *c, const struct mortise_error *err)
{
	static const char wrong[] = "No key available with this passphrase.";
	const char *skipped = err->text + strlen(wrong);

	if (err->code == MORTISE_E_KEY && c->as_cryptsetup) {
		/* Scripts compare this line, so the reasons are on a line of their own. */
		fail_with(STATUS_KEY, "%s", wrong);
		return !strncmp(err->text, wrong, strlen(wrong)) && *skipped == ' '
			       ? fail_with(STATUS_KEY, "%s", skipped + 1)
			       : STATUS_KEY;
	}
	if (err->code == MORTISE_E_NO_KEYSLOT)
		return fail_with(STATUS_USAGE, "No usable keyslot is available.");
	return fail(c, err);
}

void debug(const struct command *c, const char *format, ...)
{
	va_list arguments;

	if (!option_set(&c->options, OPTION_DEBUG))
		return;
	print("# ");
	va_start(arguments, format);
	vprint_to(stdout, format, arguments);
	va_end(arguments);
	print("\n");
}

void verbose(const struct command *c, const char *format, ...)
{
	va_list arguments;

	if (!option_set(&c->options, OPTION_VERBOSE) && !option_set(&c->options, OPTION_DEBUG))
		return;
	va_start(arguments, format);
	vprint_to(stdout, format, arguments);
	va_end(arguments);
	print("\n");
}

void say_slot(const struct command *c, int keyslot, enum slot_event event)
{
	static const char *const words[] = {
		[SLOT_CREATED] = "created",
		[SLOT_UNLOCKED] = "unlocked",
		[SLOT_REMOVED] = "removed",
	};

	verbose(c, "Key slot %d %s.", keyslot, words[event]);
}

void say_status(const struct command *c, enum status status)
{
	static const char *const texts[] = {
		[STATUS_USAGE] = "wrong or missing parameters",
		[STATUS_KEY] = "no permission or bad passphrase",
		[STATUS_MEMORY] = "out of memory",
		[STATUS_DEVICE] = "wrong device or file specified",
		[STATUS_BUSY] = "device already exists or device is busy",
		[STATUS_PARTLY] = "some volumes are not ready",
		[STATUS_WARNINGS] = "the header has weak choices or can be repaired",
		[STATUS_ERRORS] = "the header is damaged or refused",
	};

	if (status == STATUS_OK)
		verbose(c, "Command successful.");
	else
		verbose(c, "Command failed with code -%d (%s).", (int)status, texts[status]);
}

static const char digits[] = "0123456789abcdef";

void print_hex(const uint8_t *bytes, size_t size, const char *line_break)
{
	for (size_t i = 0; i < size; i++) {
		if (i > 0 && i % 16 == 0)
			print_lines(stdout, line_break);
		print("%c%c ", digits[bytes[i] >> 4], digits[bytes[i] & 15]);
	}
}

static size_t put_text(uint8_t *at, const char *text)
{
	size_t size = strlen(text);

	memcpy(at, text, size);
	return size;
}

enum status print_secret(const char *title, const struct mortise_secret *secret)
{
	static const char line_break[] = "\n\t\t";
	const uint8_t *bytes = mortise_secret_data(secret);
	size_t size = mortise_secret_size(secret);
	struct mortise_secret *text = NULL;
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	uint8_t *out;
	size_t at;

	if (mortise_secret_new(strlen(title) + size * (3 + sizeof(line_break)) + 1, &text, &err))
		return fail_with(STATUS_MEMORY, "%s", err.text);
	out = mortise_secret_writable(text);
	at = put_text(out, title);
	for (size_t i = 0; i < size; i++) {
		if (i > 0 && i % 16 == 0)
			at += put_text(out + at, line_break);
		out[at++] = (uint8_t)digits[bytes[i] >> 4];
		out[at++] = (uint8_t)digits[bytes[i] & 15];
		out[at++] = ' ';
	}
	out[at++] = '\n';
	if (fflush(stdout) != 0 || !write_all(STDOUT_FILENO, out, at))
		status = fail_with(STATUS_USAGE, "Cannot write to standard output.");
	mortise_secret_free(&text);
	return status;
}
