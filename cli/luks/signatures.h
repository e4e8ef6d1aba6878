/* SPDX-License-Identifier: MIT */
/* What else is on a device: shown before a person says YES to losing it. */
#ifndef CLI_SIGNATURES_H
#define CLI_SIGNATURES_H

#include "cli/command.h"

/* A line on standard output for each file system, RAID, partition table that libblkid finds. */
enum status signatures_show(const char *device);

#endif
