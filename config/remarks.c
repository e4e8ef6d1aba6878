/* SPDX-License-Identifier: MIT */
/* Errors and notices on a configuration, kept with their places. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/remarks.h"

static bool remark_keep(struct config_remarks *remarks, struct config_remark remark)
{
	struct config_remark *grown;

	if (remarks->count % 16 == 0) {
		grown = realloc(remarks->remark, (remarks->count + 16) * sizeof(*grown));
		if (!grown)
			return false;
		remarks->remark = grown;
	}
	remarks->remark[remarks->count++] = remark;
	return true;
}

__attribute__((format(printf, 4, 0))) static void remark_add(struct config_log *log, bool error,
							     struct config_place place,
							     const char *format, va_list arguments)
{
	struct config_remark remark = { .error = error,
					.line = place.line,
					.column = place.column };
	int length;

	if (error)
		log->errors++;
	if (log->no_memory || log->remarks->count > CONFIG_REMARKS_MAX ||
	    (!error && log->remarks->count >= CONFIG_NOTICES_MAX))
		return;
	if (log->remarks->count == CONFIG_REMARKS_MAX)
		length = asprintf(&remark.text, "too many errors: others are not shown");
	else
		length = vasprintf(&remark.text, format, arguments);
	if (length < 0) {
		log->no_memory = true;
		return;
	}
	if (!remark_keep(log->remarks, remark)) {
		free(remark.text);
		log->no_memory = true;
	}
}

void config_error(struct config_log *log, struct config_place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	remark_add(log, true, place, format, arguments);
	va_end(arguments);
}

void config_notice(struct config_log *log, struct config_place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	remark_add(log, false, place, format, arguments);
	va_end(arguments);
}

static bool remark_after(const struct config_remark *a, const struct config_remark *b)
{
	if (a->line != b->line)
		return a->line > b->line;
	return a->column > b->column;
}

void config_remarks_sort(struct config_remarks *remarks)
{
	/* Insertion: stable, so that remarks on one place stay in the order of the checks. */
	for (size_t i = 1; i < remarks->count; i++) {
		struct config_remark moving = remarks->remark[i];
		size_t j = i;

		for (; j > 0 && remark_after(&remarks->remark[j - 1], &moving); j--)
			remarks->remark[j] = remarks->remark[j - 1];
		remarks->remark[j] = moving;
	}
}

enum mortise_code config_errors_report(const struct config_log *log, const char *source,
				       struct mortise_error *err)
{
	const struct config_remark *first = log->remarks->remark;
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

void config_remarks_clear(struct config_remarks *remarks)
{
	if (!remarks)
		return;
	for (size_t i = 0; i < remarks->count; i++)
		free(remarks->remark[i].text);
	free(remarks->remark);
	*remarks = (struct config_remarks){ 0 };
}

const char *config_show(const char *text, size_t size, char room[static CONFIG_SHOW_ROOM])
{
	const size_t most = CONFIG_SHOW_ROOM - 4;
	size_t kept = size <= most ? size : most;

	/* Never half a character of UTF-8. */
	while (kept < size && kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
		kept--;
	for (size_t i = 0; i < kept; i++) {
		unsigned char byte = (unsigned char)text[i];
		unsigned char next = i + 1 < kept ? (unsigned char)text[i + 1] : 0;

		room[i] = text[i];
		if (byte < 0x20 || byte == 0x7f) {
			room[i] = '?';
		} else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
			/* C1: terminals obey these as well. */
			room[i++] = '?';
			room[i] = '?';
		}
	}
	snprintf(room + kept, CONFIG_SHOW_ROOM - kept, "%s", kept < size ? "..." : "");
	return room;
}
