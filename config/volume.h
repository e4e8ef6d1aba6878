/* SPDX-License-Identifier: MIT */
/* The parts that a configuration's documents are read in. */
#ifndef CONFIG_VOLUME_H
#define CONFIG_VOLUME_H

#include "config/fields.h"

/* Where encryption is declared. Which keys it may have, and what is said of it, differ. */
enum config_form {
	CONFIG_FORM_VOLUME,	/* "encryption" of a volume's document */
	CONFIG_FORM_MACHINE,	/* machine.systemDiskEncryption */
	CONFIG_FORM_STORED,	/* tag 9 of META */
};

/* A volume, and where its encryption stands. */
struct config_declared {
	struct config_volume volume;
	const struct config_node *encryption; /* NULL: it is not encrypted */
	enum config_form form;
	struct config_place place;
};

enum config_document_kind {
	CONFIG_DOCUMENT_NOTHING,	/* empty, or reported in the log */
	CONFIG_DOCUMENT_VOLUME,
	CONFIG_DOCUMENT_MACHINE,	/* a v1alpha1 machine configuration */
	CONFIG_DOCUMENT_OTHER,	/* of no concern to this program */
};

/*
 * Says what a document is. *kind is the volumes' kind of a CONFIG_DOCUMENT_VOLUME, whose
 * apiVersion has been looked at.
 */
enum config_document_kind config_document_kind(struct config_log *log,
					       const struct config_node *root,
					       enum config_volume_kind *kind);

/* "VolumeConfig" and so on: what documents of such volumes are called. */
const char *config_document_name(enum config_volume_kind kind);

/* One notice for each kind among these documents, all META_DOCUMENT_OTHER. */
void config_document_pass_over(struct config_log *log, const struct config_node *const *document,
			       size_t count);

/*
 * Read a document. The volume has an id when the document declares a volume of this program;
 * its name alone is set for one that does not. The caller clears it.
 */
void config_system_read(struct config_log *log, const struct config_node *root,
			struct config_declared *declared);
void config_user_read(struct config_log *log, const struct config_node *root,
		      enum config_volume_kind kind, struct config_declared *declared);

/* Does a document without apiVersion and kind look like a machine configuration? */
bool config_machine_is(const struct config_node *root);

/* STATE and EPHEMERAL, in this order; what machine.systemDiskEncryption does not name stays 0. */
#define CONFIG_MACHINE_VOLUMES 2u
void config_machine_read(struct config_log *log, const struct config_node *root,
			 struct config_declared declared[static CONFIG_MACHINE_VOLUMES]);

/* A system volume as it is when nothing is declared for it. The volume is empty before. */
void config_system_volume(struct config_log *log, const char *name, struct config_volume *volume);

/*
 * Each reads one field of a document into volume, which has its name and kind set. A field
 * that is not there is no error here.
 */
void config_encryption_read(struct config_log *log, const struct config_field *encryption,
			    enum config_form form, struct config_volume *volume);
void config_key_read(struct config_log *log, const struct config_node *item, enum config_form form,
		     struct config_volume *volume, uint32_t *slots);
void config_filesystem_read(struct config_log *log, const struct config_field *filesystem,
			    struct config_volume *volume);
void config_upkeep_read(struct config_log *log, const struct config_field *trim,
			const struct config_field *scrub);

struct config_mount {
	bool given;
	bool secure;
	bool noatime;
};

void config_mount_read(struct config_log *log, const struct config_field *field,
		       struct config_mount *mount);

/* True when anything is asked for. */
bool config_provisioning_read(struct config_log *log, const struct config_field *field,
			      const struct config_volume *volume);

/* The provisioning of a whole disk, which is what the disk is found by: volume->disk_selector. */
void config_disk_read(struct config_log *log, const struct config_field *field,
		      struct config_place root, struct config_volume *volume);

/* For a volume that has provisioning, as far as this program is concerned. */
void config_provisioning_notice(struct config_log *log, const struct config_field *field,
				const struct config_volume *volume);

void config_volume_clear(struct config_volume *volume);

/* How from is encrypted becomes how to is, which is not. */
void config_volume_encrypt_as(struct config_volume *to, struct config_volume *from);

/*
 * The value of tag 9 of META as Talos writes it: what stands in the document, whose reading has
 * found no error, and no defaults. encryption NULL: "null". NULL and log->no_memory when there
 * is no memory.
 */
struct mortise_secret *config_state_json(struct config_log *log,
					 const struct config_node *encryption,
					 enum config_form form);

/*
 * Such a value, any bytes, as a tree: the mapping of one key "encryption" with the names that it
 * has in a document. What the reading of documents cannot judge is judged here. NULL with errors
 * in the log or log->no_memory.
 */
struct config_tree *config_state_tree(struct config_log *log, const char *json, size_t size);

/* A copy, NULL and log->no_memory when there is no memory. */
char *config_copy(struct config_log *log, const char *text);

#endif
