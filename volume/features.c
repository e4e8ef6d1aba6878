/* SPDX-License-Identifier: MIT */
/* The options of this build. */
#include "keys/argon2/argon2.h"

const char *mortise_features(void)
{
	return "mortise " MORTISE_VERSION "\n"
	       "crypto " MORTISE_CRYPTO "\n"
	       "argon2 " MORTISE_ARGON2 "\n"
#if MORTISE_BENCHMARK
	       "benchmark yes\n"
#else
	       "benchmark no\n"
#endif
#if MORTISE_LUKS1
	       "luks1 yes\n"
#else
	       "luks1 no\n"
#endif
#if MORTISE_REENCRYPTION
	       "reencrypt yes\n"
#else
	       "reencrypt no\n"
#endif
#if MORTISE_DECLARED
	       "signatures libblkid\n"
	       "declared yes\n"
#if MORTISE_REGEX
	       "regex yes\n"
#else
	       "regex no\n"
#endif
	       "keys static nodeID"
#else
	       "signatures no\n"
	       "declared no\n"
	       "keys"
#endif
#if MORTISE_KMS
	       " kms"
#endif
#if MORTISE_TPM
	       " tpm"
#endif
	       " recovery\n";
}

const char *mortise_argon2_kernel(void)
{
	return keys_argon2_kernel();
}
