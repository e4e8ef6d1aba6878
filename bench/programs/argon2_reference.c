/* SPDX-License-Identifier: MIT */
/* argon2_reference KIB PASSES LANES: derives one Argon2id key with libargon2. */
#include <argon2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint8_t key[64], salt[32] = { 0 }, passphrase[16] = { 0 };
	uint32_t kib, passes, lanes;
	int result;

	if (argc != 4)
		return 1;
	kib = (uint32_t)strtoul(argv[1], NULL, 10);
	passes = (uint32_t)strtoul(argv[2], NULL, 10);
	lanes = (uint32_t)strtoul(argv[3], NULL, 10);
	result = argon2id_hash_raw(passes, kib, lanes, passphrase, sizeof(passphrase), salt,
				   sizeof(salt), key, sizeof(key));
	if (result != ARGON2_OK)
		fprintf(stderr, "%s\n", argon2_error_message(result));
	return result != ARGON2_OK;
}
