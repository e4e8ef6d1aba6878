/* SPDX-License-Identifier: MIT */
/* What this build holds. */
#include <mortise.h>

const char *mortise_features(void)
{
	return "mortise " MORTISE_VERSION "\n"
	       "crypto OpenSSL\n"
	       "argon2 libargon2\n"
	       "keys static nodeID\n";
}
