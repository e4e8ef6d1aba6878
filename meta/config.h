/* SPDX-License-Identifier: MIT */
/*
 * What is declared: the VolumeConfig and UserVolumeConfig documents of a Talos machine
 * configuration, parsed strictly and validated whole.
 */
#ifndef META_CONFIG_H
#define META_CONFIG_H

#include <mortise.h>

enum meta_key_kind {
	META_KEY_STATIC,
	META_KEY_NODE_ID,
	META_KEY_KMS,
	META_KEY_TPM,
};

/* One entry of "keys:". */
struct meta_key {
	unsigned slot;		/* 0..31 */
	enum meta_key_kind kind;
	struct mortise_secret *passphrase; /* static: the exact bytes of the YAML scalar */
	char *kms_endpoint;	/* kms */
	uint8_t tpm_pcrs[MORTISE_PCRS]; /* tpm: ascending; [7] when no options are given */
	size_t tpm_pcr_count;
	bool tpm_check_secureboot;
	bool lock_to_state;
};

/* Bits of "options:". */
enum meta_perf {
	META_PERF_NO_READ_WORKQUEUE = 1u << 0,
	META_PERF_NO_WRITE_WORKQUEUE = 1u << 1,
	META_PERF_SAME_CPU_CRYPT = 1u << 2,
};

enum meta_filesystem {
	META_FS_XFS,
	META_FS_EXT4,
	META_FS_SWAP,		/* SwapVolumeConfig: a swap area, new at every boot */
	META_FS_NONE,		/* RawVolumeConfig: the device itself is what is used */
};

enum meta_volume_kind {
	META_VOLUME_SYSTEM,	/* VolumeConfig, machine.systemDiskEncryption */
	META_VOLUME_USER,	/* UserVolumeConfig */
	META_VOLUME_RAW,
	META_VOLUME_SWAP,
};

/* One volume. */
struct meta_volume {
	char *name;		/* "STATE", "data" */
	char *id;		/* "STATE", "u-data": the partition label too */
	enum meta_volume_kind kind;
	char *disk_selector;	/* volumeType disk: the CEL expression that a whole disk is found by;
				 * NULL: it is the partition labelled id */
	bool encrypted;		/* provider luks2; false: the fields up to keys are unset */
	char *cipher;		/* never NULL when encrypted: aes-xts-plain64 or an Adiantum */
	uint32_t key_size;	/* bytes of the volume key */
	uint32_t block_size;	/* bytes of a sector, 0: by the device */
	uint32_t perf;		/* enum meta_perf */
	bool allow_discards;
	struct meta_key *keys;	/* ascending by slot */
	size_t key_count;
	enum meta_filesystem filesystem;
	char *mount_point;	/* "/system/state", "/var", "/var/mnt/data"; NULL: not mounted */
	bool mount_secure;	/* nosuid, nodev */
	bool mount_noexec;	/* STATE, and secure ETCD, LOG and user volumes */
	bool mount_noatime;
	bool mount_project_quota; /* xfs only */
	unsigned mount_mode;	/* of the root directory of a new file system: 0700 for STATE */
	unsigned line;		/* where its document starts, from 1 */
};

struct meta_config {
	/* STATE first, then outer mount points before inner ones, then as in the file. */
	struct meta_volume *volumes;
	size_t volume_count;
	/*
	 * How STATE is encrypted, as Talos stores it in META under tag 9, to the byte: the form of
	 * its age when machine.systemDiskEncryption declares it; "null" when nothing does.
	 */
	struct mortise_secret *state_json;
};

/* A remark on a configuration. line and column count from 1; 0: the document as a whole. */
struct meta_remark {
	bool error;		/* false: a notice */
	unsigned line;
	unsigned column;
	char *text;
};

struct meta_remarks {
	struct meta_remark *remark; /* by line */
	size_t count;
};

/*
 * Parses text[0..size-1]: YAML 1.1 documents, at most 1 MiB. All errors are collected, each
 * with its place; *config is NULL when there was one, and MORTISE_E_CONFIG is returned with
 * the number of errors and the first of them in err. *remarks is filled in either case
 * (notices too). source names the text in err ("config.yaml").
 */
MORTISE_MUST_CHECK enum mortise_code meta_config_parse(const char *text, size_t size,
						       const char *source,
						       struct meta_config **config,
						       struct meta_remarks *remarks,
						       struct mortise_error *err);
void meta_config_free(struct meta_config *config);

/*
 * The configuration that tag 9 of META is: STATE and nothing else, not encrypted for "null" and
 * for no bytes at all. Both forms of Talos's are read; source names META in err.
 * MORTISE_E_CONFIG.
 */
MORTISE_MUST_CHECK enum mortise_code meta_state_parse(const void *json, size_t size,
						      const char *source,
						      struct meta_config **config,
						      struct mortise_error *err);

/* Adds a STATE that is not encrypted, in front, unless one is declared: every machine has one. */
MORTISE_MUST_CHECK enum mortise_code meta_config_add_state(struct meta_config *config,
							   struct mortise_error *err);
void meta_remarks_clear(struct meta_remarks *remarks);

/* "static", "nodeID", "kms", "tpm". */
const char *meta_key_kind_name(enum meta_key_kind kind);

#endif
