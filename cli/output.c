/* SPDX-License-Identifier: MIT */
/* The only place of the program that formats text for a terminal; see output.h. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "cli/log.h"
#include "cli/output.h"

#define PRIORITY_ERROR '3'

/* Collects a line: stderr has no buffer, and several processes may write to the console. */
struct sink {
	FILE *file;
	char priority; /* of a line for the log; 0: write to file */
	size_t used;
	char bytes[512];
};

/* A conversion of a format, such as "%-12s". */
struct conversion {
	char text[24]; /* for printf(3), with width and precision as numbers */
	bool left;
	int width;
	int precision; /* -1: none */
	char length;   /* 'l', 'z', 'L' for "ll", or 0 */
	char kind;
};

static void flush(struct sink *sink)
{
	if (sink->priority)
		log_put(sink->priority, sink->bytes, sink->used);
	else
		fwrite(sink->bytes, 1, sink->used, sink->file);
	sink->used = 0;
}

static void put(struct sink *sink, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t part = sizeof(sink->bytes) - sink->used;

		part = part < size ? part : size;
		memcpy(sink->bytes + sink->used, bytes, part);
		sink->used += part;
		bytes += part;
		size -= part;
		if (sink->used == sizeof(sink->bytes))
			flush(sink);
	}
}

/* Returns the number of bytes. sink: NULL to count them only. */
static size_t put_escaped(struct sink *sink, enum mortise_escape_form form, const char *text,
			  size_t size)
{
	char piece[8 * MORTISE_ESCAPE_MAX];
	size_t written, all = 0;

	while (size > 0) {
		written = mortise_escape(form, &text, &size, piece, sizeof(piece));
		if (sink)
			put(sink, piece, written);
		all += written;
	}
	return all;
}

static void put_text(struct sink *sink, const struct conversion *how, const char *text)
{
	const size_t size =
		how->precision < 0 ? strlen(text) : strnlen(text, (size_t)how->precision);
	const size_t wide = put_escaped(NULL, MORTISE_ESCAPE_LINE, text, size);
	int blanks = how->width > (int)wide ? how->width - (int)wide : 0;

	for (; !how->left && blanks > 0; blanks--)
		put(sink, " ", 1);
	put_escaped(sink, MORTISE_ESCAPE_LINE, text, size);
	for (; blanks > 0; blanks--)
		put(sink, " ", 1);
}

/* The format of a number is the caller's own, so its result needs no escapes. */
static void put_number(struct sink *sink, const struct conversion *how, va_list *ap)
{
	char text[64];
	int size;

	if (strchr("fFeEgG", how->kind))
		size = snprintf(text, sizeof(text), how->text, va_arg(*ap, double));
	else if (how->length == 'l')
		size = snprintf(text, sizeof(text), how->text, va_arg(*ap, long));
	else if (how->length == 'L')
		size = snprintf(text, sizeof(text), how->text, va_arg(*ap, long long));
	else if (how->length == 'z')
		size = snprintf(text, sizeof(text), how->text, va_arg(*ap, size_t));
	else
		size = snprintf(text, sizeof(text), how->text, va_arg(*ap, int));
	put(sink, text,
	    size < 0			  ? 0
	    : (size_t)size < sizeof(text) ? (size_t)size
					  : sizeof(text) - 1);
}

static int read_number(const char **at, va_list *ap)
{
	int number = 0;

	if (**at == '*') {
		(*at)++;
		return va_arg(*ap, int);
	}
	for (; **at >= '0' && **at <= '9'; (*at)++)
		number = 10 * number + **at - '0';
	return number;
}

/* at: after the percent sign. Returns the character after the conversion. */
static const char *read_conversion(const char *at, struct conversion *how, va_list *ap)
{
	const size_t flags = strspn(at, "-+ #0");
	int used;

	*how = (struct conversion){ .left = memchr(at, '-', flags) != NULL, .precision = -1 };
	used = snprintf(how->text, sizeof(how->text), "%%%.*s", (int)flags, at);
	at += flags;
	how->width = read_number(&at, ap);
	if (how->width > 0)
		used += sprintf(how->text + used, "%d", how->width);
	if (*at == '.') {
		at++;
		how->precision = read_number(&at, ap);
		used += sprintf(how->text + used, ".%d", how->precision);
	}
	if (*at == 'l' || *at == 'z')
		how->length = how->text[used++] = *at++;
	if (how->length == 'l' && *at == 'l') {
		how->length = 'L';
		how->text[used++] = *at++;
	}
	how->kind = how->text[used++] = *at++;
	how->text[used] = '\0';
	return at;
}

/* Skips the priority at the start of a format. */
static const char *read_priority(const char *format, struct sink *sink)
{
	char priority = PRIORITY_ERROR;

	if (*format == PRINT_PRIORITY) {
		priority = format[1];
		format += 2;
	}
	if (sink->file == stderr && log_is_active())
		sink->priority = priority;
	return format;
}

void vprint_to(FILE *file, const char *format, va_list arguments)
{
	struct sink sink = { .file = file };
	struct conversion how;
	va_list ap;

	va_copy(ap, arguments);
	format = read_priority(format, &sink);
	while (*format != '\0') {
		const size_t plain = strcspn(format, "%");

		put(&sink, format, plain);
		format += plain;
		if (*format == '\0')
			break;
		format = read_conversion(format + 1, &how, &ap);
		if (how.kind == '%')
			put(&sink, "%", 1);
		else if (how.kind == 's')
			put_text(&sink, &how, va_arg(ap, const char *));
		else if (how.kind == 'c')
			put_text(&sink, &how, (const char[]){ (char)va_arg(ap, int), '\0' });
		else
			put_number(&sink, &how, &ap);
	}
	va_end(ap);
	flush(&sink);
}

void print_to(FILE *file, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprint_to(file, format, arguments);
	va_end(arguments);
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprint_to(stdout, format, arguments);
	va_end(arguments);
}

static void print_form(FILE *file, enum mortise_escape_form form, const char *text)
{
	struct sink sink = { .file = file };

	put_escaped(&sink, form, text, strlen(text));
	flush(&sink);
}

void print_lines(FILE *file, const char *text)
{
	print_form(file, MORTISE_ESCAPE_LINES, text);
}

void print_json(const char *json)
{
	print_form(stdout, MORTISE_ESCAPE_JSON, json);
}
