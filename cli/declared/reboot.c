/* SPDX-License-Identifier: MIT */
/* Rebooting through init, which ends services and unmounts file systems first. */
#include "cli/declared/reboot.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/print.h"
#include "cli/signals.h"

/* Debian's value for root; an init may start a program without PATH. */
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *find_path(void)
{
	const char *path = getenv("PATH");

	return path && *path ? path : PATH_DEFAULT;
}

/* As sd_booted(3) decides it. */
static const char *find_name(void)
{
	return access("/run/systemd/system", F_OK) == 0 ? "systemctl" : "reboot";
}

static bool find_program(char program[static PATH_MAX])
{
	const char *at = find_path();

	while (*at) {
		int length = (int)strcspn(at, ":");

		snprintf(program, PATH_MAX, "%.*s/%s", length, at, find_name());
		if (access(program, X_OK) == 0)
			return true;
		at += length;
		at += *at == ':';
	}
	return false;
}

enum status reboot_check(const struct command *c)
{
	char program[PATH_MAX];

	if (!option_set(&c->options, OPTION_REBOOT) || find_program(program))
		return STATUS_OK;
	return fail_with(STATUS_USAGE,
			 "mortise: cannot reboot: the program %s was not found; nothing was "
			 "changed",
			 find_name());
}

enum status reboot_end(const struct command *c, enum status status)
{
	char program[PATH_MAX], name[] = "reboot", *arguments[] = { program, NULL, NULL };

	if (!option_set(&c->options, OPTION_REBOOT) || status != STATUS_OK || signals_caught())
		return status;
	if (!find_program(program))
		return reboot_check(c);
	if (strcmp(find_name(), name) != 0)
		arguments[1] = name;
	if (!option_set(&c->options, OPTION_BATCH_MODE))
		print_to(stderr, "mortise: rebooting ...\n");
	fflush(stdout);
	execv(program, arguments);
	return fail_with(STATUS_USAGE, "mortise: cannot run %s: %s; reboot the machine", program,
			 strerror(errno));
}
