/* SPDX-License-Identifier: MIT */
/* Checking the file system of a volume before it is mounted, and remembering the result. */
#ifndef DECLARED_FSCK_H
#define DECLARED_FSCK_H

#include "declared/steps.h"

#define VOLUME_FSCK_ROOM 320u

/*
 * Checks the file system on node as declared. *type receives its type: the declared one, or that on
 * the device if only META describes the volume. MORTISE_E_NOT_EMPTY: the device holds another type.
 * MORTISE_E_CORRUPT: it has errors that the check does not correct; the volume must not be mounted.
 */
MORTISE_MUST_CHECK enum mortise_code volume_fsck(struct volume_work *work, const char *node,
						 const char **type, struct mortise_error *err);

/* Adds the remedy to the error of a mount that failed because of errors in the file system. */
void volume_fsck_explain(struct volume_work *work, const char *node, const char *type,
			 struct mortise_error *err);

/* The result of the last check in this boot; "" if there was none. */
void volume_fsck_read(const struct config_volume *volume, char text[static VOLUME_FSCK_ROOM]);
void volume_fsck_forget(const struct config_volume *volume);

#endif
