/* SPDX-License-Identifier: MIT */
/* How all folders report errors: they fill the error of the caller, and return its code. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <mortise.h>

/*
 * Fills *err, unless err is NULL, and returns code. The format makes the complete message for the
 * user; if sys, an errno value, is not 0, ": " and strerror(sys) are appended. err->offset is set
 * to UINT64_MAX, which means none.
 */
__attribute__((format(printf, 4, 5))) enum mortise_code
error_set(struct mortise_error *err, enum mortise_code code, int sys, const char *format, ...);

/* The same with the byte offset of the failure on the device. */
__attribute__((format(printf, 5, 6))) enum mortise_code error_set_at(struct mortise_error *err,
								     enum mortise_code code,
								     int sys, uint64_t offset,
								     const char *format, ...);

/* Sets MORTISE_E_MEMORY: "out of memory". */
enum mortise_code error_memory(struct mortise_error *err);

/* Inserts "PREFIX: " before the text of an error that a called function has set. */
__attribute__((format(printf, 2, 3))) void error_prefix(struct mortise_error *err,
							const char *format, ...);

#endif
