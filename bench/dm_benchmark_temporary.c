/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"

#define PREFIX "temporary-mortise-%ld-"

void bench_temporary_name(char name[static BENCH_NAME_MAX])
{
	uint8_t random[8] = { 0 };
	uint64_t number;

	if (random_bytes(random, sizeof(random), NULL))
		random[0] = 1;
	memcpy(&number, random, sizeof(number));
	snprintf(name, BENCH_NAME_MAX, PREFIX "%016llx", (long)getpid(),
		 (unsigned long long)number);
}

enum mortise_code bench_temporary_open(struct dm_control *control, const char *name, int flags,
				       int *fd, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK, removal;
	char node[BENCH_NAME_MAX + 16];

	snprintf(node, sizeof(node), "/dev/mapper/%s", name);
	*fd = open(node, flags | O_CLOEXEC);
	if (*fd < 0)
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", node);
	(void)unlink(node);
	removal = dm_remove(control, name, DM_REMOVE_DEFERRED, code ? NULL : err);
	if (!code && removal) {
		close(*fd);
		*fd = -1;
	}
	return code ? code : removal;
}

struct search {
	char prefix[BENCH_NAME_MAX];
	bool found;
};

static bool match_prefix(void *context, const char *name, dev_t device)
{
	struct search *search = context;

	(void)device;
	search->found = !strncmp(name, search->prefix, strlen(search->prefix));
	return !search->found;
}

void bench_temporary_wait(struct dm_control *control)
{
	struct search search = { .found = true };

	snprintf(search.prefix, sizeof(search.prefix), PREFIX, (long)getpid());
	for (unsigned tries = 0; search.found && tries < BENCH_TRIES; tries++) {
		search.found = false;
		if (dm_list(control, match_prefix, &search, NULL))
			return;
		if (search.found)
			(void)usleep(BENCH_PAUSE_US);
	}
}
