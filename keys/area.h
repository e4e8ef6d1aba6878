/* SPDX-License-Identifier: MIT */
/* The encryption of keyslot areas and data, sector by sector like dm-crypt. */
#ifndef KEYS_AREA_H
#define KEYS_AREA_H

#include <mortise.h>

#define KEYS_AREA_SECTOR 512u

/* Does the crypto library support a cipher ("aes-xts-plain64") with a key of key_size bytes? */
bool keys_area_supported(const char *cipher, size_t key_size);

/*
 * Encrypt or decrypt a keyslot area in place: 512-byte sectors, IVs count from 0. size is a multiple of KEYS_AREA_SECTOR. MORTISE_E_UNSUPPORTED: the
 * crypto library does not support the cipher; the message names it.
 */
MORTISE_MUST_CHECK enum mortise_code keys_area_encrypt(const char *cipher, const uint8_t *key,
						       size_t key_size, uint8_t *area, size_t size,
						       struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code keys_area_decrypt(const char *cipher, const uint8_t *key,
						       size_t key_size, uint8_t *area, size_t size,
						       struct mortise_error *err);

/* A run of sectors of dm-crypt. */
struct keys_sectors {
	uint8_t *data;
	size_t size;		/* bytes, a multiple of sector_size */
	uint32_t sector_size;	/* bytes: 512, 1024, 2048, 4096 */
	uint64_t first;		/* 512-byte sectors: the IV of the first sector */
};

/* A cipher with a key, created once to encrypt or decrypt many runs. */
struct keys_sectors_cipher;

/* MORTISE_E_UNSUPPORTED as above. MORTISE_E_SYSTEM: the key is weak, or the library refuses it. */
MORTISE_MUST_CHECK enum mortise_code keys_sectors_new(const char *cipher,
						      const struct mortise_secret *key,
						      bool encrypt,
						      struct keys_sectors_cipher **out,
						      struct mortise_error *err);
/* Wipes the key; NULL is allowed. */
void keys_sectors_free(struct keys_sectors_cipher *cipher);

/* Encrypts or decrypts sectors in place. Each thread needs a cipher of its own. */
MORTISE_MUST_CHECK enum mortise_code keys_sectors_run(struct keys_sectors_cipher *cipher,
						      const struct keys_sectors *sectors,
						      struct mortise_error *err);

/* The same for a single run. Several threads may call it at once. */
MORTISE_MUST_CHECK enum mortise_code keys_sectors_crypt(const char *cipher,
							const struct mortise_secret *key,
							const struct keys_sectors *sectors,
							bool encrypt, struct mortise_error *err);

#endif
