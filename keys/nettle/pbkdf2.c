/* SPDX-License-Identifier: MIT */
/* PBKDF2 through Nettle. */
#include <nettle/pbkdf2.h>

#include "keys/crypto.h"
#include "keys/nettle/md.h"

bool keys_crypto_pbkdf2(const struct keys_crypto_pbkdf2 *what, uint8_t *key, size_t key_size)
{
	const struct nettle_hash *hash = keys_nettle_md(what->hash);
	struct keys_nettle_hmac *hmac;

	hmac = hash ? keys_nettle_hmac_new(hash, what->passphrase) : NULL;
	if (!hmac)
		return false;
	pbkdf2(hmac, keys_nettle_hmac_update, keys_nettle_hmac_digest, hash->digest_size,
	       what->iterations, what->salt.size, what->salt.data, key_size, key);
	keys_nettle_hmac_free(hmac);
	return true;
}
