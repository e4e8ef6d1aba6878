/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/diagnostics.h"

static bool append_diagnostic(struct config_diagnostics *diagnostics,
			      struct config_diagnostic diagnostic)
{
	struct config_diagnostic *grown;

	if (diagnostics->count % 16 == 0) {
		grown = realloc(diagnostics->diagnostic,
				(diagnostics->count + 16) * sizeof(*grown));
		if (!grown)
			return false;
		diagnostics->diagnostic = grown;
	}
	diagnostics->diagnostic[diagnostics->count++] = diagnostic;
	return true;
}

__attribute__((format(printf, 4, 0))) static void add_diagnostic(struct config_log *log, bool error,
								 struct config_position position,
								 const char *format,
								 va_list arguments)
{
	struct config_diagnostic diagnostic = { .error = error,
						.line = position.line,
						.column = position.column };
	int length;

	if (error)
		log->errors++;
	if (log->out_of_memory || log->diagnostics->count > CONFIG_DIAGNOSTICS_MAX ||
	    (!error && log->diagnostics->count >= CONFIG_NOTICES_MAX))
		return;
	if (log->diagnostics->count == CONFIG_DIAGNOSTICS_MAX)
		length = asprintf(&diagnostic.text, "too many errors; the others are not shown");
	else
		length = vasprintf(&diagnostic.text, format, arguments);
	if (length < 0) {
		log->out_of_memory = true;
		return;
	}
	if (!append_diagnostic(log->diagnostics, diagnostic)) {
		free(diagnostic.text);
		log->out_of_memory = true;
	}
}

void config_error(struct config_log *log, struct config_position position, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_diagnostic(log, true, position, format, arguments);
	va_end(arguments);
}

void config_notice(struct config_log *log, struct config_position position, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_diagnostic(log, false, position, format, arguments);
	va_end(arguments);
}

static bool is_after(const struct config_diagnostic *a, const struct config_diagnostic *b)
{
	if (a->line != b->line)
		return a->line > b->line;
	return a->column > b->column;
}

void config_diagnostics_sort(struct config_diagnostics *diagnostics)
{
	/* Insertion sort is stable: diagnostics on one position stay in the order of the checks. */
	for (size_t i = 1; i < diagnostics->count; i++) {
		struct config_diagnostic moving = diagnostics->diagnostic[i];
		size_t j = i;

		for (; j > 0 && is_after(&diagnostics->diagnostic[j - 1], &moving); j--)
			diagnostics->diagnostic[j] = diagnostics->diagnostic[j - 1];
		diagnostics->diagnostic[j] = moving;
	}
}

enum mortise_code config_errors_report(const struct config_log *log, const char *source,
				       struct mortise_error *err)
{
	const struct config_diagnostic *first = log->diagnostics->diagnostic;
	char more[40] = "";

	while (!first->error)
		first++;
	if (log->errors > 1)
		snprintf(more, sizeof(more), " (%zu errors in all)", log->errors);
	if (first->line == 0)
		return error_set(err, MORTISE_E_CONFIG, 0, "%s: %s%s", source, first->text, more);
	return error_set(err, MORTISE_E_CONFIG, 0, "%s:%u:%u: %s%s", source, first->line,
			 first->column, first->text, more);
}

void config_diagnostics_clear(struct config_diagnostics *diagnostics)
{
	if (!diagnostics)
		return;
	for (size_t i = 0; i < diagnostics->count; i++)
		free(diagnostics->diagnostic[i].text);
	free(diagnostics->diagnostic);
	*diagnostics = (struct config_diagnostics){ 0 };
}

const char *config_printable(const char *text, size_t size, char room[static CONFIG_PRINTABLE_SIZE])
{
	static const char more[] = "...";
	size_t written = mortise_escape(MORTISE_ESCAPE_LINE, &text, &size, room,
					CONFIG_PRINTABLE_SIZE - sizeof(more));

	snprintf(room + written, CONFIG_PRINTABLE_SIZE - written, "%s", size ? more : "");
	return room;
}
