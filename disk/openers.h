/* SPDX-License-Identifier: MIT */
/* The processes that keep a file system or block device busy, from /proc. */
#ifndef DISK_OPENERS_H
#define DISK_OPENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Finds processes, other than this one, that use a file of the file system with this st_dev, or have
 * this block device open; 0: neither. text receives the first ones: "sleep (process 12), bash
 * (process 7) and 2 more". False: there are none, and text is "".
 */
bool disk_openers_find(dev_t filesystem, dev_t block, char *text, size_t room);

#endif
