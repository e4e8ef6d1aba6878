/* SPDX-License-Identifier: MIT */
/* How every folder reports a failure: fill the error that the caller gave, return its code. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <mortise.h>

/*
 * Fills *err (when err is not NULL) and returns code. sys is an errno value or 0; the text
 * is the whole sentence that a person reads, without ": strerror", which is appended when
 * sys is not 0. The offset is set to "no place".
 */
__attribute__((format(printf, 4, 5))) enum mortise_code
error_set(struct mortise_error *err, enum mortise_code code, int sys, const char *format, ...);

/* The same with the byte offset on the device where it happened. */
__attribute__((format(printf, 5, 6))) enum mortise_code error_set_at(struct mortise_error *err,
								     enum mortise_code code,
								     int sys, uint64_t offset,
								     const char *format, ...);

/* MORTISE_E_MEMORY: "out of memory". */
enum mortise_code error_memory(struct mortise_error *err);

/* Puts "PREFIX: " before the text of an error that a lower function has set. */
__attribute__((format(printf, 2, 3))) void error_prefix(struct mortise_error *err,
							const char *format, ...);

#endif
