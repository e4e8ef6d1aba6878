/* SPDX-License-Identifier: MIT */
/* Files at the root of STATE: written whole or not at all, for root alone. */
#ifndef CONFIG_STATE_FILE_H
#define CONFIG_STATE_FILE_H

#include <mortise.h>

/* What the machine was declared to be, at the root of STATE's file system. */
#define CONFIG_STORED_CONFIG "config.yaml"

/* Opens the directory that STATE is mounted at. MORTISE_E_WAIT when there is none. */
MORTISE_MUST_CHECK enum mortise_code config_state_dir_open(const char *dir, int *fd,
							   struct mortise_error *err);

struct config_state_file {
	const char *name;
	bool replace;		/* else a file that is there stays as it is, and all is well */
	const void *bytes;
	size_t size;
};

/*
 * Written beside, flushed, and given its name, mode 0600: after a power cut there is the old file
 * or the new one. dir names the directory in err. The caller keeps others away from it.
 */
MORTISE_MUST_CHECK enum mortise_code config_state_file_store(int dir_fd, const char *dir,
							     const struct config_state_file *file,
							     struct mortise_error *err);

#endif
