/* SPDX-License-Identifier: MIT */
/*
 * The header of a volume in STATE, in the file header-ID.luks2: of a volume that had no room for it
 * when it was encrypted in place, and while a volume is decrypted in place.
 */
#ifndef DECLARED_STATE_HEADER_H
#define DECLARED_STATE_HEADER_H

#include "declared/plan.h"

/* Bytes of the header of a volume that is encrypted in place. */
#define STATE_HEADER_SIZE (UINT64_C(9) << 20)

/*
 * Sets path to the file of the volume id in the directory dir, which is where STATE is mounted below
 * root. *found: it exists. MORTISE_E_CORRUPT: it is a symbolic link, a hard link, or not a regular file.
 */
MORTISE_MUST_CHECK enum mortise_code state_header_find(const char *root, const char *dir,
						       const char *id,
						       char path[static VOLUME_PATH_MAX],
						       bool *found, struct mortise_error *err);

/* Writes a header, which is in memory, to a new file. A power cut leaves the whole file, or none. */
MORTISE_MUST_CHECK enum mortise_code state_header_store(const char *root, const char *dir,
							const char *id,
							const struct mortise_luks2 *header,
							char path[static VOLUME_PATH_MAX],
							struct mortise_error *err);

/* Overwrites and removes the file, if it exists. */
MORTISE_MUST_CHECK enum mortise_code state_header_remove(const char *root, const char *dir,
							 const char *id,
							 struct mortise_error *err);

/* MORTISE_E_NO_SPACE: STATE has no room for a file of size bytes, and a little more. */
MORTISE_MUST_CHECK enum mortise_code state_header_check_room(const char *root, const char *dir,
							     uint64_t size,
							     struct mortise_error *err);

#endif
