/* SPDX-License-Identifier: MIT */
/* How fast a device is read, for an estimate. */
#ifndef DISK_RATE_H
#define DISK_RATE_H

#include <stdint.h>

/* Bytes in a second, measured with a few MiB from the middle of the device; 0: unknown. */
uint64_t disk_read_rate(const char *device);

#endif
