/* SPDX-License-Identifier: MIT */
/* Mappings for a measurement: made, opened, and given up at once to their last close. */
#include "bench/dm_benchmark_ground.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"

#define BLOCK	 4096u /* a part of the ground is a multiple of it */
#define TRIES	 50u   /* a second in all */
#define PAUSE_US 20000u

enum mortise_code bench_give_up(struct dm_control *control, const char *name,
				struct mortise_error *err)
{
	char node[96];

	snprintf(node, sizeof(node), "/dev/mapper/%s", name);
	(void)unlink(node);
	return dm_remove(control, name, DM_REMOVE_DEFERRED, err);
}

struct ours {
	char prefix[48];
	bool found;
};

static bool look(void *context, const char *name, dev_t device)
{
	struct ours *ours = context;

	(void)device;
	ours->found = !strncmp(name, ours->prefix, strlen(ours->prefix));
	return !ours->found;
}

void bench_settle(struct dm_control *control)
{
	struct ours ours = { .found = true };

	snprintf(ours.prefix, sizeof(ours.prefix), "temporary-mortise-%ld-", (long)getpid());
	for (unsigned tries = 0; ours.found && tries < TRIES; tries++) {
		ours.found = false;
		if (dm_list(control, look, &ours, NULL))
			return;
		if (ours.found)
			(void)usleep(PAUSE_US);
	}
}

/* The kernel may need a moment to take the last one away, so no name comes twice. */
static void next_name(char name[static 64])
{
	uint8_t random[8] = { 0 };
	uint64_t number;

	if (random_bytes(random, sizeof(random), NULL))
		random[0] = 1;
	memcpy(&number, random, sizeof(number));
	snprintf(name, 64, "temporary-mortise-%ld-%016llx", (long)getpid(),
		 (unsigned long long)number);
}

static enum mortise_code map(const struct bench_ground *ground, const struct bench_setup *setup,
			     uint64_t offset, uint64_t size, int *fd, struct mortise_error *err)
{
	const struct dm_mapping_options options = { .readonly = !ground->writable, .hidden = true };
	struct dm_crypt_target target = {
		.cipher = setup->cipher,
		.device = ground->path,
		.device_offset = offset,
		.size = size,
		.sector_size = setup->sector_size,
		.flags = setup->flags,
	};
	struct mortise_secret *key = NULL;
	char name[64], node[96];
	enum mortise_code code, removal;
	uint32_t dropped = 0;

	next_name(name);
	code = secret_random(setup->key_size, &key, err);
	target.key = key;
	if (!code)
		code = dm_crypt_create(ground->control, name, &options, &target, &dropped, err);
	mortise_secret_free(&key);
	if (code)
		return code;
	snprintf(node, sizeof(node), "/dev/mapper/%s", name);
	*fd = open(node, (ground->writable ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	if (*fd < 0)
		code = error_set(err, MORTISE_E_DEVICE, errno, "Cannot open %s", node);
	else if (dropped)
		code = error_set(err, MORTISE_E_KERNEL, 0,
				 "The kernel's dm-crypt does not know one of these options.");
	removal = bench_give_up(ground->control, name, code ? NULL : err);
	return code ? code : removal;
}

/* Without dm-crypt nothing else claims a ground that is written to. */
static enum mortise_code open_bare(const struct bench_ground *ground, int *fd,
				   struct mortise_error *err)
{
	int flags = O_DIRECT | (ground->writable ? O_RDWR : O_RDONLY);

	if (ground->writable && ground->kind != MORTISE_DM_ZERO)
		*fd = bench_claim(ground->path, flags);
	else
		*fd = open(ground->path, flags | O_CLOEXEC);
	return *fd < 0 ? error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_DEVICE, errno,
				   "Cannot open %s", ground->path)
		       : MORTISE_OK;
}

enum mortise_code bench_stack_open(const struct bench_ground *ground,
				   const struct bench_setup *setup, struct bench_stack *stack,
				   struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	memset(stack, 0, sizeof(*stack));
	memset(stack->fds, 0xff, sizeof(stack->fds));
	stack->volumes = setup->volumes;
	stack->size = ground->size / setup->volumes;
	stack->size -= stack->size % BLOCK;
	if (!setup->cipher)
		return open_bare(ground, &stack->fds[0], err);
	for (uint32_t i = 0; i < setup->volumes && !code; i++)
		code = map(ground, setup, i * stack->size, stack->size, &stack->fds[i], err);
	if (code)
		bench_stack_close(stack);
	else
		bench_driver_here(&bench_files, setup->cipher, stack->driver);
	return code;
}

void bench_stack_close(struct bench_stack *stack)
{
	for (uint32_t i = 0; i < BENCH_VOLUMES_MAX; i++)
		if (stack->fds[i] >= 0)
			close(stack->fds[i]);
	memset(stack->fds, 0xff, sizeof(stack->fds));
}
