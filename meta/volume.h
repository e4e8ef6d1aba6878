/* SPDX-License-Identifier: MIT */
/* The parts that a volume's document is read in. */
#ifndef META_VOLUME_H
#define META_VOLUME_H

#include "meta/fields.h"

/*
 * Each reads one field of a document into volume, which has its name and user set. A field
 * that is not there is no error here.
 */
void meta_encryption_read(struct meta_log *log, const struct meta_field *encryption,
			  struct meta_volume *volume);
void meta_key_read(struct meta_log *log, const struct meta_node *item, struct meta_volume *volume,
		   uint32_t *slots);
void meta_filesystem_read(struct meta_log *log, const struct meta_field *filesystem,
			  struct meta_volume *volume);
void meta_upkeep_read(struct meta_log *log, const struct meta_field *trim,
		      const struct meta_field *scrub);

struct meta_mount {
	bool given;
	bool secure;
	bool noatime;
};

void meta_mount_read(struct meta_log *log, const struct meta_field *field,
		     struct meta_mount *mount);

/* True when anything is asked for. */
bool meta_provisioning_read(struct meta_log *log, const struct meta_field *field,
			    const struct meta_volume *volume);

enum meta_document_kind {
	META_DOCUMENT_OTHER,	/* reported in the log */
	META_DOCUMENT_SYSTEM,	/* VolumeConfig */
	META_DOCUMENT_USER,	/* UserVolumeConfig */
};

/*
 * Reads a document. *volume has an id when the document declares a volume of this program;
 * its name alone is set for one that does not. The caller clears it.
 */
enum meta_document_kind meta_document_read(struct meta_log *log, const struct meta_node *root,
					   struct meta_volume *volume);
void meta_volume_clear(struct meta_volume *volume);

/* A copy, NULL and log->no_memory when there is no memory. */
char *meta_copy(struct meta_log *log, const char *text);

#endif
