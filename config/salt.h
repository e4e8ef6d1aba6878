/* SPDX-License-Identifier: MIT */
/* The salt in STATE that other volumes are locked to: STATE/encryption-salt.yaml. */
#ifndef CONFIG_SALT_H
#define CONFIG_SALT_H

#include <mortise.h>

#define CONFIG_SALT_SIZE 32u
#define CONFIG_SALT_FILE "encryption-salt.yaml"

/*
 * Reads the salt of the STATE file system mounted at state_dir. MORTISE_E_WAIT when there
 * is no such file; MORTISE_E_CORRUPT when it does not hold 32 bytes or holds only zeros.
 */
MORTISE_MUST_CHECK enum mortise_code config_salt_read(const char *state_dir,
						      uint8_t salt[static CONFIG_SALT_SIZE],
						      struct mortise_error *err);

/*
 * Reads it, or makes it: 32 random bytes, mode 0600, never over an existing file, on disk
 * (file and directory flushed) before this returns.
 */
MORTISE_MUST_CHECK enum mortise_code config_salt_ensure(const char *state_dir,
							uint8_t salt[static CONFIG_SALT_SIZE],
							struct mortise_error *err);

#endif
