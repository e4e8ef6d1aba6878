/* SPDX-License-Identifier: MIT */
/* The parts that a configuration's documents are read in. */
#ifndef META_VOLUME_H
#define META_VOLUME_H

#include "meta/fields.h"

/* Where encryption is declared. Which keys it may have, and what is said of it, differ. */
enum meta_form {
	META_FORM_VOLUME,	/* "encryption" of a volume's document */
	META_FORM_MACHINE,	/* machine.systemDiskEncryption */
	META_FORM_STORED,	/* tag 9 of META */
};

/* A volume, and where its encryption stands. */
struct meta_declared {
	struct meta_volume volume;
	const struct meta_node *encryption; /* NULL: it is not encrypted */
	enum meta_form form;
	struct meta_place place;
};

enum meta_document_kind {
	META_DOCUMENT_NOTHING,	/* empty, or reported in the log */
	META_DOCUMENT_VOLUME,
	META_DOCUMENT_MACHINE,	/* a v1alpha1 machine configuration */
	META_DOCUMENT_OTHER,	/* of no concern to this program */
};

/*
 * Says what a document is. *kind is the volumes' kind of a META_DOCUMENT_VOLUME, whose
 * apiVersion has been looked at.
 */
enum meta_document_kind meta_document_kind(struct meta_log *log, const struct meta_node *root,
					   enum meta_volume_kind *kind);

/* "VolumeConfig" and so on: what documents of such volumes are called. */
const char *meta_document_name(enum meta_volume_kind kind);

/* One notice for each kind among these documents, all META_DOCUMENT_OTHER. */
void meta_document_pass_over(struct meta_log *log, const struct meta_node *const *document,
			     size_t count);

/*
 * Read a document. The volume has an id when the document declares a volume of this program;
 * its name alone is set for one that does not. The caller clears it.
 */
void meta_system_read(struct meta_log *log, const struct meta_node *root,
		      struct meta_declared *declared);
void meta_user_read(struct meta_log *log, const struct meta_node *root, enum meta_volume_kind kind,
		    struct meta_declared *declared);

/* Does a document without apiVersion and kind look like a machine configuration? */
bool meta_machine_is(const struct meta_node *root);

/* STATE and EPHEMERAL, in this order; what machine.systemDiskEncryption does not name stays 0. */
#define META_MACHINE_VOLUMES 2u
void meta_machine_read(struct meta_log *log, const struct meta_node *root,
		       struct meta_declared declared[static META_MACHINE_VOLUMES]);

/* A system volume as it is when nothing is declared for it. The volume is empty before. */
void meta_system_volume(struct meta_log *log, const char *name, struct meta_volume *volume);

/*
 * Each reads one field of a document into volume, which has its name and kind set. A field
 * that is not there is no error here.
 */
void meta_encryption_read(struct meta_log *log, const struct meta_field *encryption,
			  enum meta_form form, struct meta_volume *volume);
void meta_key_read(struct meta_log *log, const struct meta_node *item, enum meta_form form,
		   struct meta_volume *volume, uint32_t *slots);
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

/* The provisioning of a whole disk, which is what the disk is found by: volume->disk_selector. */
void meta_disk_read(struct meta_log *log, const struct meta_field *field, struct meta_place root,
		    struct meta_volume *volume);

/* For a volume that has provisioning, as far as this program is concerned. */
void meta_provisioning_notice(struct meta_log *log, const struct meta_field *field,
			      const struct meta_volume *volume);

void meta_volume_clear(struct meta_volume *volume);

/* How from is encrypted becomes how to is, which is not. */
void meta_volume_encrypt_as(struct meta_volume *to, struct meta_volume *from);

/*
 * The value of tag 9 of META as Talos writes it: what stands in the document, whose reading has
 * found no error, and no defaults. encryption NULL: "null". NULL and log->no_memory when there
 * is no memory.
 */
struct mortise_secret *meta_state_json(struct meta_log *log, const struct meta_node *encryption,
				       enum meta_form form);

/*
 * Such a value, any bytes, as a tree: the mapping of one key "encryption" with the names that it
 * has in a document. What the reading of documents cannot judge is judged here. NULL with errors
 * in the log or log->no_memory.
 */
struct meta_tree *meta_state_tree(struct meta_log *log, const char *json, size_t size);

/* A copy, NULL and log->no_memory when there is no memory. */
char *meta_copy(struct meta_log *log, const char *text);

#endif
