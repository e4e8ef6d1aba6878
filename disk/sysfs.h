/* SPDX-License-Identifier: MIT */
/* Reading a device's attributes in sysfs. */
#ifndef DISK_SYSFS_H
#define DISK_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of DIRECTORY/NAME/FILE, cut to room; "" if there is no such file. */
void sysfs_line(const char *directory, const char *name, const char *file, char *text, size_t room);

/* The value of KEY= in DIRECTORY/NAME/uevent; false if it is missing or too long. */
bool sysfs_uevent(const char *directory, const char *name, const char *key, char *value,
		  size_t room);

#endif
