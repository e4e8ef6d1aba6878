/* SPDX-License-Identifier: MIT */
/*
 * Computes Argon2 with a passphrase that is marked as uninitialized, so that valgrind reports each
 * branch and address that depends on it (Langley's ctgrind). Arguments: i, id or half, kernel. With
 * half, Argon2id's memory is no longer marked after the first half of the first pass, the part that
 * must not depend on the passphrase (RFC 9106, section 3.4.1.3).
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "keys/argon2/core.h"

static bool half;

bool __real_keys_argon2_fill(const struct keys_argon2_job *job, const struct keys_argon2_part *part,
			     struct keys_argon2_workspace *work);
bool __wrap_keys_argon2_fill(const struct keys_argon2_job *job, const struct keys_argon2_part *part,
			     struct keys_argon2_workspace *work);

bool __wrap_keys_argon2_fill(const struct keys_argon2_job *job, const struct keys_argon2_part *part,
			     struct keys_argon2_workspace *work)
{
	if (half && (part->pass || part->slice >= KEYS_ARGON2_SLICES / 2))
		(void)VALGRIND_MAKE_MEM_DEFINED(job->memory, keys_argon2_job_size(job));
	return __real_keys_argon2_fill(job, part, work);
}

int main(int argc, char **argv)
{
	struct mortise_kdf kdf = { .time = 2, .memory_kib = 256, .lanes = 2 };
	uint8_t passphrase[20] = "correct horse", tag[32];
	struct keys_argon2_input input = {
		.passphrase = { passphrase, sizeof(passphrase) },
		.salt = { "0123456789abcdef", 16 },
	};

	if (argc != 3)
		return 3;
	kdf.type = strcmp(argv[1], "i") ? MORTISE_KDF_ARGON2ID : MORTISE_KDF_ARGON2I;
	half = !strcmp(argv[1], "half");
	input.kernel = keys_argon2_select(argv[2]);
	if (!input.kernel) {
		puts("not for this processor");
		return 4;
	}
	(void)VALGRIND_MAKE_MEM_UNDEFINED(passphrase, sizeof(passphrase));
	if (keys_argon2(&kdf, &input, tag, sizeof(tag), NULL))
		return 3;
	(void)VALGRIND_MAKE_MEM_DEFINED(tag, sizeof(tag));
	printf("%02x%02x%02x%02x\n", tag[0], tag[1], tag[2], tag[3]);
	return 0;
}
