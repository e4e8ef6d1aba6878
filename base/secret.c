/* SPDX-License-Identifier: MIT */
/* Secrets: separate memory that is locked, not dumped, not inherited, and wiped. */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"

/* At the start of its own mapping, followed by the bytes. */
struct mortise_secret {
	uint8_t *bytes;
	size_t size;
	size_t mapped;
};

enum mortise_code mortise_secret_new(size_t size, struct mortise_secret **out,
				     struct mortise_error *err)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct mortise_secret *secret;
	size_t mapped;

	*out = NULL;
	if (size > MORTISE_PASSPHRASE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a passphrase or key of %zu bytes is longer than the %u allowed",
				 size, MORTISE_PASSPHRASE_MAX);
	mapped = (sizeof(*secret) + size + page - 1) / page * page;
	secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return error_set(err, MORTISE_E_MEMORY, errno,
				 "cannot allocate %zu bytes for a secret", size);
	/*
	 * The secret is usable if these fail: RLIMIT_MEMLOCK is small for users other than root,
	 * and valgrind and old kernels do not know all of this advice.
	 */
	(void)mlock(secret, mapped);
	(void)madvise(secret, mapped, MADV_DONTDUMP);
	(void)madvise(secret, mapped, MADV_DONTFORK);
	secret->bytes = (uint8_t *)(secret + 1);
	secret->size = size;
	secret->mapped = mapped;
	*out = secret;
	return MORTISE_OK;
}

enum mortise_code mortise_secret_from(const void *bytes, size_t size, struct mortise_secret **out,
				      struct mortise_error *err)
{
	enum mortise_code code = mortise_secret_new(size, out, err);

	if (!code && size)
		memcpy((*out)->bytes, bytes, size);
	return code;
}

void mortise_secret_free(struct mortise_secret **address)
{
	struct mortise_secret *secret = address ? *address : NULL;
	size_t mapped;

	if (!secret)
		return;
	*address = NULL;
	mapped = secret->mapped;
	/* Wipes the whole mapping, since a truncated secret was longer before. */
	secret_wipe(secret, mapped);
	munmap(secret, mapped);
}

const uint8_t *mortise_secret_data(const struct mortise_secret *secret)
{
	return secret->bytes;
}

uint8_t *mortise_secret_writable(struct mortise_secret *secret)
{
	return secret->bytes;
}

size_t mortise_secret_size(const struct mortise_secret *secret)
{
	return secret->size;
}

void mortise_secret_truncate(struct mortise_secret *secret, size_t size)
{
	if (size >= secret->size)
		return;
	secret_wipe(secret->bytes + size, secret->size - size);
	secret->size = size;
}

bool mortise_secret_equal(const struct mortise_secret *a, const struct mortise_secret *b)
{
	return a->size == b->size && secret_equal(a->bytes, b->bytes, a->size);
}

void secret_wipe(void *bytes, size_t size)
{
	explicit_bzero(bytes, size);
}

bool secret_equal(const void *a, const void *b, size_t size)
{
	/* Volatile prevents the compiler from ending the loop at the first difference. */
	const volatile uint8_t *x = a, *y = b;
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= (unsigned)(x[i] ^ y[i]);
	return !difference;
}

enum mortise_code random_bytes(void *bytes, size_t size, struct mortise_error *err)
{
	uint8_t *at = bytes;
	ssize_t got;

	while (size) {
		got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(err, MORTISE_E_SYSTEM, errno,
					 "cannot get random bytes from the kernel");
		at += got;
		size -= (size_t)got;
	}
	return MORTISE_OK;
}

enum mortise_code secret_random(size_t size, struct mortise_secret **out, struct mortise_error *err)
{
	enum mortise_code code;

	*out = NULL;
	code = mortise_secret_new(size, out, err);
	if (!code)
		code = random_bytes(mortise_secret_writable(*out), size, err);
	if (code) {
		mortise_secret_free(out);
		*out = NULL;
	}
	return code;
}
