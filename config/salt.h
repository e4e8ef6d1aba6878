/* SPDX-License-Identifier: MIT */
/* encryption-salt.yaml in STATE: the salt of keys that are locked to STATE (lockToState). */
#ifndef CONFIG_SALT_H
#define CONFIG_SALT_H

#include <mortise.h>

#define CONFIG_SALT_SIZE 32u
#define CONFIG_SALT_FILE "encryption-salt.yaml"

/*
 * Reads the salt from the STATE file system mounted at state_dir, which begins with root; see
 * config_state_dir_open(). MORTISE_E_WAIT: the file does not exist. MORTISE_E_CORRUPT: it does not
 * hold 32 bytes, or only zeros.
 */
MORTISE_MUST_CHECK enum mortise_code config_salt_read(const char *root, const char *state_dir,
						      uint8_t salt[static CONFIG_SALT_SIZE],
						      struct mortise_error *err);

/*
 * Reads the salt, or creates the file with 32 random bytes and mode 0600 if it does not exist. File
 * and directory are flushed to disk before this returns.
 */
MORTISE_MUST_CHECK enum mortise_code config_salt_ensure(const char *root, const char *state_dir,
							uint8_t salt[static CONFIG_SALT_SIZE],
							struct mortise_error *err);

#endif
