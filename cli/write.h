/* SPDX-License-Identifier: MIT */
/* Writing without stdio, whose buffers are not wiped. */
#ifndef CLI_WRITE_H
#define CLI_WRITE_H

#include <mortise.h>

/* Writes all bytes. False: errno says why. A signal that interrupts the program is a failure. */
bool write_all(int fd, const void *bytes, size_t size);

/* The same after mortise_escape(). */
bool write_escaped(int fd, enum mortise_escape_form form, const void *bytes, size_t size);

/*
 * Flushes the folder of a new file: a power cut must not remove the name of a file on which a header
 * relies. False: errno says why.
 */
bool sync_folder_of(const char *file);

#endif
