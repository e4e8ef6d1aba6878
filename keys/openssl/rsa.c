/* SPDX-License-Identifier: MIT */
/* RSA public keys through OpenSSL 3. */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <limits.h>

#include "keys/crypto.h"

static bool read_numbers(const EVP_PKEY *key, struct keys_crypto_rsa *rsa)
{
	BIGNUM *modulus = NULL, *exponent = NULL;
	bool ok = false;
	BN_ULONG word;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
		goto out;
	word = BN_get_word(exponent);
	if (BN_num_bytes(modulus) > (int)sizeof(rsa->modulus) || BN_num_bits(exponent) > 32)
		goto out;
	rsa->modulus_size = (size_t)BN_bn2bin(modulus, rsa->modulus);
	rsa->exponent = (uint32_t)word;
	ok = true;
out:
	BN_free(exponent);
	BN_free(modulus);
	return ok;
}

bool keys_crypto_rsa_public(const char *pem, size_t size, struct keys_crypto_rsa *rsa)
{
	EVP_PKEY *key = NULL;
	bool ok = false;
	BIO *bio;

	if (size > INT_MAX)
		return false;
	ERR_set_mark();
	bio = BIO_new_mem_buf(pem, (int)size);
	if (bio)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	if (key && EVP_PKEY_is_a(key, "RSA"))
		ok = read_numbers(key, rsa);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_pop_to_mark();
	return ok;
}
