/* SPDX-License-Identifier: MIT */
/* Reading what sysfs says of a device, a line at a time. */
#ifndef DISK_SYSFS_H
#define DISK_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of DIRECTORY/NAME/FILE, "" when there is none. */
void sysfs_line(const char *directory, const char *name, const char *file, char *text, size_t room);

/* The value of KEY= in DIRECTORY/NAME/uevent; false when it is not there or too long. */
bool sysfs_uevent(const char *directory, const char *name, const char *key, char *value,
		  size_t room);

#endif
