/* SPDX-License-Identifier: MIT */
/*
 * What is declared: the VolumeConfig and UserVolumeConfig documents of a Talos machine
 * configuration, parsed strictly and validated whole.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <mortise-declared.h>

enum config_key_kind {
	CONFIG_KEY_STATIC,
	CONFIG_KEY_NODE_ID,
	CONFIG_KEY_KMS,
	CONFIG_KEY_TPM,
};

/* One entry of "keys:". */
struct config_key {
	unsigned slot;		/* 0..31 */
	enum config_key_kind kind;
	struct mortise_secret *passphrase; /* static: the exact bytes of the YAML scalar */
	char *kms_endpoint;	/* kms */
	uint8_t tpm_pcrs[MORTISE_PCRS]; /* tpm: ascending; [7] when no options are given */
	size_t tpm_pcr_count;
	bool tpm_check_secureboot;
	bool lock_to_state;
};

/* Bits of "options:". */
enum config_perf {
	CONFIG_PERF_NO_READ_WORKQUEUE = 1u << 0,
	CONFIG_PERF_NO_WRITE_WORKQUEUE = 1u << 1,
	CONFIG_PERF_SAME_CPU_CRYPT = 1u << 2,
};

enum config_filesystem {
	CONFIG_FS_XFS,
	CONFIG_FS_EXT4,
	CONFIG_FS_SWAP,		/* SwapVolumeConfig: a swap area, new at every boot */
	CONFIG_FS_NONE,		/* RawVolumeConfig: the device itself is what is used */
};

enum config_volume_kind {
	CONFIG_VOLUME_SYSTEM,	/* VolumeConfig, machine.systemDiskEncryption */
	CONFIG_VOLUME_USER,	/* UserVolumeConfig */
	CONFIG_VOLUME_RAW,
	CONFIG_VOLUME_SWAP,
};

/* One volume. */
struct config_volume {
	char *name;		/* "STATE", "data" */
	char *id;		/* "STATE", "u-data": the partition label too */
	enum config_volume_kind kind;
	char *disk_selector;	/* volumeType disk: the CEL expression that a whole disk is found by;
				 * NULL: it is the partition labelled id */
	bool encrypted;		/* provider luks2; false: the fields up to keys are unset */
	char *cipher;		/* never NULL when encrypted: aes-xts-plain64 or an Adiantum */
	uint32_t key_size;	/* bytes of the volume key */
	uint32_t block_size;	/* bytes of a sector, 0: by the device */
	uint32_t perf;		/* enum config_perf */
	bool allow_discards;
	struct config_key *keys;	/* ascending by slot */
	size_t key_count;
	enum config_filesystem filesystem;
	char *mount_point;	/* "/system/state", "/var", "/var/mnt/data"; NULL: not mounted */
	bool mount_secure;	/* nosuid, nodev */
	bool mount_noexec;	/* STATE, and secure ETCD, LOG and user volumes */
	bool mount_noatime;
	bool mount_project_quota; /* xfs only */
	unsigned mount_mode;	/* of the root directory of a new file system: 0700 for STATE */
	unsigned line;		/* where its document starts, from 1 */
};

struct config {
	/* STATE first, then outer mount points before inner ones, then as in the file. */
	struct config_volume *volumes;
	size_t volume_count;
	/*
	 * How STATE is encrypted, as Talos stores it in META under tag 9, to the byte: the form of
	 * its age when machine.systemDiskEncryption declares it; "null" when nothing does.
	 */
	struct mortise_secret *state_json;
};

/* A remark on a configuration. line and column count from 1; 0: the document as a whole. */
struct config_remark {
	bool error;		/* false: a notice */
	unsigned line;
	unsigned column;
	char *text;
};

struct config_remarks {
	struct config_remark *remark; /* by line */
	size_t count;
};

/*
 * Parses text[0..size-1]: YAML 1.1 documents, at most 1 MiB. All errors are collected, each
 * with its place; *config is NULL when there was one, and MORTISE_E_CONFIG is returned with
 * the number of errors and the first of them in err. *remarks is filled in either case
 * (notices too). source names the text in err ("config.yaml").
 */
MORTISE_MUST_CHECK enum mortise_code config_parse(const char *text, size_t size, const char *source,
						  struct config **config,
						  struct config_remarks *remarks,
						  struct mortise_error *err);
void config_free(struct config *config);

/*
 * The configuration that tag 9 of META is: STATE and nothing else, not encrypted for "null" and
 * for no bytes at all. Both forms of Talos's are read; source names META in err.
 * MORTISE_E_CONFIG.
 */
MORTISE_MUST_CHECK enum mortise_code config_state_parse(const void *json, size_t size,
							const char *source, struct config **config,
							struct mortise_error *err);

/* Adds a STATE that is not encrypted, in front, unless one is declared: every machine has one. */
MORTISE_MUST_CHECK enum mortise_code config_add_state(struct config *config,
						      struct mortise_error *err);
void config_remarks_clear(struct config_remarks *remarks);

/* "xfs", "ext4", "swap", "none": the type for mount(2), libblkid and mkfs alike. */
const char *config_filesystem_name(enum config_filesystem filesystem);

/* Is one made once, and then mounted? Not so a swap area, nor what a raw volume holds. */
bool config_filesystem_is_persistent(enum config_filesystem filesystem);

/* "static", "nodeID", "kms", "tpm". */
const char *config_key_kind_name(enum config_key_kind kind);

#endif
