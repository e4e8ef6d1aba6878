/* SPDX-License-Identifier: MIT */
/*
 * Runs the system's program of the name under which this one is called, with preload.so from the
 * directory of this program. That directory comes first in PATH.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin" };

int main(int argc, char **argv)
{
	char self[4096], path[4096];
	const char *name;
	ssize_t length;
	char *end;

	if (argc < 1)
		return 127;
	length = readlink("/proc/self/exe", self, sizeof(self) - sizeof("/preload.so"));
	if (length <= 0)
		return 127;
	self[length] = '\0';
	end = strrchr(self, '/');
	strcpy(end, "/preload.so");
	/* ld.so splits the variable at these. */
	if (!strpbrk(self, " :"))
		setenv("LD_PRELOAD", self, 1);

	end = strrchr(argv[0], '/');
	name = end ? end + 1 : argv[0];
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], name);
		if (end)
			argv[0] = path;
		execv(path, argv);
	}
	fprintf(stderr, "%s: %s\n", name, strerror(errno));
	return 127;
}
