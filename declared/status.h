/* SPDX-License-Identifier: MIT */
/* What mortise_status reports of a volume without its key. */
#ifndef DECLARED_STATUS_H
#define DECLARED_STATUS_H

#include "declared/declared.h"

/* Reads the list of known volumes, if STATE is mounted. End it with volume_status_end(). */
void volume_status_begin(struct volume_known *known, const struct config *config,
			 const struct mortise_up_options *options);
void volume_status_end(struct volume_known *known);

/*
 * Sets the UUIDs, the seal, the size and place, and what the list says, of a volume whose device was
 * found.
 */
void volume_status_examine(struct volume_known *known, struct volume_entry *entry);

/* Sets the use of the file system at mount_point, which begins with root; "": not mounted. */
void volume_status_use(const char *root, const char *mount_point,
		       struct mortise_filesystem_use *use);

/* Sets when each volume of the report was trimmed. */
void volume_status_trims(struct mortise_report *report, const struct mortise_up_options *options);

/* Sets what the last mortise_up of this boot left. */
void volume_status_last_up(struct volume_entry *entry);

#endif
