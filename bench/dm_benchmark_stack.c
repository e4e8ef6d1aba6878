/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "bench/dm_benchmark_temporary.h"

#define BLOCK 4096u /* the size of a volume is a multiple of this */

static enum mortise_code open_volume(const struct bench_backing *backing,
				     const struct bench_setup *setup, uint64_t offset,
				     uint64_t size, int *fd, struct mortise_error *err)
{
	const struct dm_mapping_options options = { .readonly = !backing->writable,
						    .hidden = true };
	struct dm_crypt_target target = {
		.cipher = setup->cipher,
		.device = backing->path,
		.device_offset = offset,
		.size = size,
		.sector_size = setup->sector_size,
		.flags = setup->flags,
	};
	const int flags = O_DIRECT | (backing->writable ? O_RDWR : O_RDONLY);
	struct mortise_secret *key = NULL;
	char name[BENCH_NAME_MAX];
	enum mortise_code code;
	uint32_t dropped = 0;

	bench_temporary_name(name);
	code = secret_random(setup->key_size, &key, err);
	if (code)
		return code;
	target.key = key;
	code = dm_crypt_create(backing->control, name, &options, &target, &dropped, err);
	mortise_secret_free(&key);
	if (code)
		return code;
	code = bench_temporary_open(backing->control, name, flags, fd, err);
	if (code)
		return code;
	if (dropped)
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "the kernel's dm-crypt does not support one of these options");
	return MORTISE_OK;
}

/* Without dm-crypt, nothing else opens a backing device exclusively before it is written. */
static enum mortise_code open_bare(const struct bench_backing *backing, int *fd,
				   struct mortise_error *err)
{
	int flags = O_DIRECT | (backing->writable ? O_RDWR : O_RDONLY);

	if (backing->writable && backing->kind != MORTISE_DM_ZERO)
		*fd = bench_open_exclusive(backing->path, flags);
	else
		*fd = open(backing->path, flags | O_CLOEXEC);
	return *fd < 0 ? error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_DEVICE, errno,
				   "cannot open %s", backing->path)
		       : MORTISE_OK;
}

enum mortise_code bench_stack_open(const struct bench_backing *backing,
				   const struct bench_setup *setup, struct bench_stack *stack,
				   struct mortise_error *err)
{
	enum mortise_code code;

	memset(stack, 0, sizeof(*stack));
	memset(stack->fds, 0xff, sizeof(stack->fds));
	stack->volumes = setup->volumes;
	stack->size = backing->size / setup->volumes;
	stack->size -= stack->size % BLOCK;
	if (!setup->cipher)
		return open_bare(backing, &stack->fds[0], err);
	for (uint32_t i = 0; i < setup->volumes; i++) {
		code = open_volume(backing, setup, i * stack->size, stack->size, &stack->fds[i],
				   err);
		if (code) {
			bench_stack_close(stack);
			return code;
		}
	}
	bench_driver_here(&bench_files, setup->cipher, stack->driver);
	return MORTISE_OK;
}

void bench_stack_close(struct bench_stack *stack)
{
	for (uint32_t i = 0; i < BENCH_VOLUMES_MAX; i++)
		if (stack->fds[i] >= 0)
			close(stack->fds[i]);
	memset(stack->fds, 0xff, sizeof(stack->fds));
}
