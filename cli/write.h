/* SPDX-License-Identifier: MIT */
/* Writing without stdio, whose buffers nobody wipes. */
#ifndef CLI_WRITE_H
#define CLI_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* All of it, or false: errno says why. A signal that wants the program to end is a failure. */
bool write_all(int fd, const void *bytes, size_t size);

#endif
