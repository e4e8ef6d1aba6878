/* SPDX-License-Identifier: MIT */
/* Atomic writes of files at the root of STATE, readable by root only. */
#ifndef CONFIG_STATE_FILE_H
#define CONFIG_STATE_FILE_H

#include <mortise.h>

/* The stored configuration, at the root of STATE's file system. */
#define CONFIG_STORED_CONFIG "config.yaml"

/*
 * Opens the directory where STATE is mounted; dir begins with root, which may be NULL; see
 * base/rooted.h for symbolic links below it. MORTISE_E_WAIT: it does not exist.
 */
MORTISE_MUST_CHECK enum mortise_code config_state_dir_open(const char *root, const char *dir,
							   int *fd, struct mortise_error *err);

struct config_state_file {
	const char *name;
	bool replace;		/* false: an existing file is kept, which is not an error */
	const void *bytes;
	size_t size;
};

/*
 * Writes and flushes a temporary file with mode 0600 and renames it, so that a power cut leaves the
 * old file or the new one. dir names the directory in err. The caller holds a lock.
 */
MORTISE_MUST_CHECK enum mortise_code config_state_file_store(int dir_fd, const char *dir,
							     const struct config_state_file *file,
							     struct mortise_error *err);

#endif
