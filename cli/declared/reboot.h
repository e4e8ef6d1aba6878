/* SPDX-License-Identifier: MIT */
/* --reboot. */
#ifndef CLI_REBOOT_H
#define CLI_REBOOT_H

#include "cli/command.h"

/* Fails, with a message, if --reboot was given and no program could reboot the machine. */
enum status reboot_check(const struct command *c);

/*
 * If --reboot was given and status is STATUS_OK, becomes systemctl(1) under systemd, otherwise
 * reboot(8). Returns status if it was not given, or a failure.
 */
enum status reboot_end(const struct command *c, enum status status);

#endif
