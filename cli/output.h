/* SPDX-License-Identifier: MIT */
/*
 * The output of the program. Headers, META, servers and TPMs supply much of the text, and all of it
 * passes through these functions, so that none of it controls the terminal. No other file of cli/
 * calls printf(3) or puts(3).
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdarg.h>
#include <stdio.h>

#include <mortise.h>

/*
 * At the start of a format for print_to(): the priority of a message on stderr, as a digit of
 * syslog(3). Without one, it is an error. See cli/log.h.
 */
#define PRINT_PRIORITY '\001'
#define PRINT_WARNING  "\001" "4"
#define PRINT_NOTICE   "\001" "5"
#define PRINT_INFO     "\001" "6"

/*
 * Like printf(3) and fprintf(3), with the conversions d, i, u, x, X, c, f, e, g and s. Each string
 * is escaped with MORTISE_ESCAPE_LINE: its newlines, too. The format itself is not.
 */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
__attribute__((format(printf, 2, 3))) void print_to(FILE *file, const char *format, ...);
__attribute__((format(printf, 2, 0))) void vprint_to(FILE *file, const char *format,
						     va_list arguments);

/* Prints a text of several lines, escaped except for newlines and tabs. */
void print_lines(FILE *file, const char *text);

/* Prints a JSON document to standard output, escaped so that it remains the same document. */
void print_json(const char *json);

#endif
