/* SPDX-License-Identifier: MIT */
/* Inner functions of the configuration parser: documents, and the fields of a volume. */
#ifndef CONFIG_VOLUME_H
#define CONFIG_VOLUME_H

#include "config/fields.h"

/* Where encryption is declared. Schema, defaults and error texts depend on it. */
enum config_origin {
	CONFIG_ORIGIN_DOCUMENT,	/* "encryption" of a volume's document */
	CONFIG_ORIGIN_MACHINE,	/* machine.systemDiskEncryption */
	CONFIG_ORIGIN_META,	/* tag 9 of META */
};

/* A volume, and where its encryption is declared. */
struct config_declaration {
	struct config_volume volume;
	const struct config_node *encryption; /* NULL: not encrypted */
	enum config_origin origin;
	struct config_position position;
};

enum config_document_kind {
	CONFIG_DOCUMENT_NOTHING,	/* empty, or reported in the log */
	CONFIG_DOCUMENT_VOLUME,
	CONFIG_DOCUMENT_MACHINE,	/* a v1alpha1 machine configuration */
	CONFIG_DOCUMENT_OTHER,	/* ignored */
};

/*
 * Identifies a document. For CONFIG_DOCUMENT_VOLUME, *kind is the kind of its volumes and its
 * apiVersion has been checked.
 */
enum config_document_kind config_document_kind(struct config_log *log,
					       const struct config_node *root,
					       enum config_volume_kind *kind);

/* The document kind for a volume kind: "VolumeConfig". */
const char *config_document_name(enum config_volume_kind kind);

/* Is the last of the CONFIG_DOCUMENT_OTHER documents, of which there is one, a duplicate? */
void config_check_repeated(struct config_log *log, const struct config_node *const *document,
			   size_t count);

/* Adds one notice for all CONFIG_DOCUMENT_OTHER documents. */
void config_report_ignored(struct config_log *log, const struct config_node *const *document,
			   size_t count);

/*
 * Read a document. The volume has an id only if this program handles it. The caller clears the
 * volume.
 */
void config_system_read(struct config_log *log, const struct config_node *root,
			struct config_declaration *declared);
void config_user_read(struct config_log *log, const struct config_node *root,
		      enum config_volume_kind kind, struct config_declaration *declared);

/* Is a document without apiVersion and kind a machine configuration? */
bool config_is_machine_document(const struct config_node *root);

/* Reads the system disk from a machine configuration. */
void config_install_read(struct config_log *log, const struct config_node *machine,
			 struct config_install *install);

/* Reads STATE and EPHEMERAL, in this order. One that is not declared is left unchanged. */
#define CONFIG_MACHINE_VOLUMES 2u
void config_machine_read(struct config_log *log, const struct config_node *root,
			 struct config_declaration declared[static CONFIG_MACHINE_VOLUMES],
			 struct config_install *install);

/* Fills in an empty volume with the defaults of a system volume. */
void config_system_volume_init(struct config_log *log, const char *name,
			       struct config_volume *volume);

/*
 * Each function reads one field of a document into volume, whose name and kind are set. A missing
 * field is not an error.
 */
void config_encryption_read(struct config_log *log, const struct config_field *encryption,
			    enum config_origin origin, struct config_volume *volume);
void config_key_read(struct config_log *log, const struct config_node *item,
		     enum config_origin origin, struct config_volume *volume, uint32_t *slots);
void config_filesystem_read(struct config_log *log, const struct config_field *filesystem,
			    struct config_volume *volume);
/* Call it after config_encryption_read(): a notice depends on allowDiscards. */
void config_upkeep_read(struct config_log *log, const struct config_field *trim,
			const struct config_field *scrub, struct config_volume *volume);

struct config_mount {
	bool given;
	const char *path;	/* NULL: the default */
	bool secure;
	bool noatime;
};

/* has_path: the key "path" is allowed. */
void config_mount_read(struct config_log *log, const struct config_field *field, bool has_path,
		       struct config_mount *mount);

/* True if provisioning is declared or has an error. */
bool config_provisioning_read(struct config_log *log, const struct config_field *field,
			      struct config_volume *volume);

/* Reads the provisioning of a whole disk: volume->disk_selector. */
void config_disk_read(struct config_log *log, const struct config_field *field,
		      struct config_position root, struct config_volume *volume);

void config_volume_clear(struct config_volume *volume);

/* Moves the encryption settings from one volume to another, which has none. */
void config_volume_move_encryption(struct config_volume *to, struct config_volume *from);

/*
 * The value of tag 9 of META exactly as Talos writes it, without defaults. encryption is a node
 * that has been read without errors; NULL gives "null". NULL and log->out_of_memory if there is not
 * enough memory.
 */
struct mortise_secret *config_state_json(struct config_log *log,
					 const struct config_node *encryption,
					 enum config_origin origin);

/*
 * Converts a value of tag 9, which may be any bytes, to the tree that a document would have: a
 * mapping with the single key "encryption". Checks what the document readers cannot. NULL with
 * errors in the log or log->out_of_memory.
 */
struct config_tree *config_state_tree(struct config_log *log, const char *json, size_t size);

/* strdup(3); NULL and log->out_of_memory if it fails. */
char *config_strdup(struct config_log *log, const char *text);

#endif
