/* SPDX-License-Identifier: MIT */
/* Reading without stdio, whose buffers are not wiped. */
#ifndef CLI_READ_H
#define CLI_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

/* read(2), restarted after signals other than those that interrupt the program. */
ssize_t read_some(int fd, void *bytes, size_t size);

/*
 * Reads until bytes[0..room-1] is full or the file ends; *size receives the number of bytes. False:
 * errno says why.
 */
bool read_full(int fd, void *bytes, size_t room, size_t *size);

/*
 * Reads to the end of a file of at most max bytes and adds a NUL. Free the result; NULL: errno says
 * why; EFBIG: the file is larger. Not for secrets: the buffer is not wiped.
 */
char *read_all(int fd, size_t max, size_t *size);

#endif
