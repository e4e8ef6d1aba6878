/* SPDX-License-Identifier: MIT */
/* Inside dm/: the parameters of dm-crypt as text, built and read back. */
#ifndef DM_CRYPT_TABLE_H
#define DM_CRYPT_TABLE_H

#include "dm/dm.h"

#define DM_SECTOR 512u
#define DM_KEY_MAX 1024u	/* bytes; the largest that a cipher of the kernel's takes is 96 */

/* Everything about a target that can be refused without asking the kernel. */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_target_check(const struct dm_crypt_target *target,
							   struct mortise_error *err);

/* cipher_null takes no key: "-" stands in the table, and nothing goes into the keyring. */
bool dm_crypt_cipher_null(const char *cipher);

/*
 * "CIPHER KEY IVOFF MAJOR:MINOR OFFSET [N options]" with its NUL, for a checked target.
 * keyring: the key stands there by its description.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_params_build(const struct dm_crypt_target *target,
							   dev_t device, bool keyring,
							   struct mortise_secret **params,
							   struct mortise_error *err);

/*
 * The reverse: fills all but size. params need not be NUL-terminated.
 * MORTISE_E_UNSUPPORTED names what is not understood.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_params_parse(const char *params, size_t length,
							   struct dm_crypt_table *table,
							   struct mortise_error *err);

#endif
