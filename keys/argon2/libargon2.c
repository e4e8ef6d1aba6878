/* SPDX-License-Identifier: MIT */
/* Argon2 by libargon2 instead of the built-in one, in memory excluded from core dumps. */
#include "keys/argon2/argon2.h"

#include <argon2.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/events.h"
#include "base/machine.h"
#include "base/secret.h"

/*
 * Called by libargon2. It uses huge pages, because nearly every block is on a different page, and
 * page walks cost a third of the time.
 */
static int map_arena(uint8_t **memory, size_t size)
{
	void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (arena == MAP_FAILED)
		return ARGON2_MEMORY_ALLOCATION_ERROR;
	(void)madvise(arena, size, MADV_HUGEPAGE);
	(void)madvise(arena, size, MADV_DONTDUMP);
	(void)madvise(arena, size, MADV_DONTFORK);
	*memory = arena;
	return ARGON2_OK;
}

/* libargon2 wipes the arena before it calls this. */
static void unmap_arena(uint8_t *memory, size_t size)
{
	munmap(memory, size);
}

/* The members of libargon2's context are not const; it writes to them only if a flag says so. */
static uint8_t *mutable_bytes(struct keys_bytes bytes)
{
	union {
		const void *in;
		uint8_t *out;
	} cast = { .in = bytes.size ? bytes.data : NULL };

	return cast.out;
}

const char *keys_argon2_kernel(void)
{
	return "libargon2";
}

/* libargon2 has only one implementation, chosen when it was compiled. */
const struct keys_argon2_kernel *keys_argon2_select(const char *name)
{
	(void)name;
	return NULL;
}

enum mortise_code keys_argon2(const struct mortise_kdf *kdf, const struct keys_argon2_input *input,
			      uint8_t *tag, size_t tag_size, struct mortise_error *err)
{
	const unsigned threads = input->threads ? input->threads : machine_cpus();
	argon2_context context = {
		.out = tag,
		.outlen = (uint32_t)tag_size,
		.pwd = mutable_bytes(input->passphrase),
		.pwdlen = (uint32_t)input->passphrase.size,
		.salt = mutable_bytes(input->salt),
		.saltlen = (uint32_t)input->salt.size,
		.secret = mutable_bytes(input->secret),
		.secretlen = (uint32_t)input->secret.size,
		.ad = mutable_bytes(input->associated_data),
		.adlen = (uint32_t)input->associated_data.size,
		.t_cost = kdf->time,
		.m_cost = kdf->memory_kib,
		.lanes = kdf->lanes,
		/* More threads than CPUs only cost time, and a header may ask for 2^24 lanes. */
		.threads = kdf->lanes < threads ? kdf->lanes : threads,
		.version = input->version ? input->version : KEYS_ARGON2_VERSION,
		.allocate_cbk = map_arena,
		.free_cbk = unmap_arena,
		.flags = ARGON2_DEFAULT_FLAGS,
	};
	const char *name = kdf->type == MORTISE_KDF_ARGON2I ? "argon2i" : "argon2id";
	enum mortise_code code = MORTISE_OK;
	int result;

	/* libargon2 cannot be interrupted. */
	if (events_canceled(input->events))
		return events_cancel_error(err);
	result = argon2_ctx(&context, kdf->type == MORTISE_KDF_ARGON2I ? Argon2_i : Argon2_id);
	if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
		code = error_set(err, MORTISE_E_MEMORY, 0,
				 "cannot allocate %u KiB of memory for %s", kdf->memory_kib, name);
	else if (result != ARGON2_OK)
		code = error_set(err, MORTISE_E_SYSTEM, 0, "%s failed: %s", name,
				 argon2_error_message(result));
	if (!code && events_canceled(input->events))
		code = events_cancel_error(err);
	if (code)
		secret_wipe(tag, tag_size);
	return code;
}
