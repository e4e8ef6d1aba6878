/* SPDX-License-Identifier: MIT */
/* Signatures on a device, printed before the user confirms overwriting them. */
#ifndef CLI_SIGNATURES_H
#define CLI_SIGNATURES_H

#include "cli/command.h"

/* Prints a line for each file system, RAID or partition table that libblkid finds, or LUKS header. */
enum status signatures_show(const char *device);
/* The same without LUKS headers. */
enum status signatures_show_foreign(const char *device);

#endif
