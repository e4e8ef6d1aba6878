/* SPDX-License-Identifier: MIT */
/* Inside dm/: the table parameters of dm-crypt, as text. */
#ifndef DM_CRYPT_TABLE_H
#define DM_CRYPT_TABLE_H

#include "dm/dm.h"

#define DM_SECTOR 512u
#define DM_KEY_MAX 1024u	/* bytes; the kernel's ciphers take at most 96 */

/* Checks all that needs no call of the kernel. */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_target_check(const struct dm_crypt_target *target,
							   struct mortise_error *err);

/* The same for all targets of a table, at most DM_TARGETS_MAX. */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_targets_check(const struct dm_crypt_target *target,
							    struct mortise_error *err);

/* True for a cipher without a key: the table has "-", and the keyring is not used. */
bool dm_crypt_cipher_null(const char *cipher);

/*
 * Writes the key as tables and messages have it: "-", in hexadecimal, or with keyring as a reference
 * to the keyring. At most 2 * DM_KEY_MAX or 280 bytes. Returns the number of bytes.
 */
size_t dm_crypt_put_key(char *out, const struct dm_crypt_target *target, bool keyring);

/*
 * Formats "CIPHER KEY IVOFF MAJOR:MINOR OFFSET [N options]" with its NUL for a checked target.
 * keyring: KEY refers to the keyring instead of containing the key.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_params_build(const struct dm_crypt_target *target,
							   dev_t device, bool keyring,
							   struct mortise_secret **params,
							   struct mortise_error *err);

/*
 * Parses length bytes of params. Sets every member except size. MORTISE_E_UNSUPPORTED: a part is
 * unknown; the error names it.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_params_parse(const char *params, size_t length,
							   struct dm_crypt_table *table,
							   struct mortise_error *err);

/* Parses the parameters of dm-integrity. MORTISE_E_UNSUPPORTED: unknown format. */
struct dm_integrity_table;
MORTISE_MUST_CHECK enum mortise_code dm_integrity_params_parse(const char *params,
							       struct dm_integrity_table *table,
							       struct mortise_error *err);

#endif
