/* SPDX-License-Identifier: MIT */
/* PBKDF2 through OpenSSL 3. */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "keys/crypto.h"
#include "keys/openssl/md.h"

/* OpenSSL's parameters have no const; a passphrase is only read. */
static void *mutable_bytes(struct keys_bytes bytes)
{
	union {
		const void *in;
		void *out;
	} cast = { .in = bytes.size ? bytes.data : "" };

	return cast.out;
}

bool keys_crypto_pbkdf2(const struct keys_crypto_pbkdf2 *what, uint8_t *key, size_t key_size)
{
	EVP_KDF_CTX *context = NULL;
	EVP_KDF *algorithm = NULL;
	OSSL_PARAM params[5], *param = params;
	uint32_t iterations = what->iterations;
	EVP_MD *md = keys_openssl_md(what->hash);
	char digest[MORTISE_HASH_MAX + 1];
	bool done = false;

	if (!md)
		return false;
	snprintf(digest, sizeof(digest), "%s", EVP_MD_get0_name(md));
	*param++ = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_PASSWORD, mutable_bytes(what->passphrase), what->passphrase.size);
	*param++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, mutable_bytes(what->salt),
						     what->salt.size);
	*param++ = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &iterations);
	*param++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*param = OSSL_PARAM_construct_end();
	algorithm = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_PBKDF2, NULL);
	if (algorithm)
		context = EVP_KDF_CTX_new(algorithm);
	if (context)
		done = EVP_KDF_derive(context, key, key_size, params) == 1;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(algorithm);
	EVP_MD_free(md);
	return done;
}
