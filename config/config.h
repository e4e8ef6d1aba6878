/* SPDX-License-Identifier: MIT */
/*
 * The declared volumes: the VolumeConfig, UserVolumeConfig, RawVolumeConfig and SwapVolumeConfig
 * documents of a Talos machine configuration, parsed and validated strictly.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <mortise-declared.h>

/* Name and id of the volume that holds the stored configuration. */
#define CONFIG_STATE "STATE"

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
	uint8_t tpm_pcrs[MORTISE_PCRS]; /* tpm: ascending; [7, 15] without "options" */
	size_t tpm_pcr_count;
	bool tpm_pcrs_named;	/* by "options" */
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
	CONFIG_FS_BTRFS,
	CONFIG_FS_SWAP,		/* SwapVolumeConfig: a swap area, made again at every boot */
	CONFIG_FS_NONE,		/* RawVolumeConfig: the bare device is used */
};

/* "fsck": the check of a file system before it is mounted. */
enum config_fsck {
	CONFIG_FSCK_PREEN,	/* the default: correct what needs no decision */
	CONFIG_FSCK_NONE,
	CONFIG_FSCK_FORCE,	/* check it even if it seems clean */
};

enum config_volume_kind {
	CONFIG_VOLUME_SYSTEM,	/* VolumeConfig, machine.systemDiskEncryption */
	CONFIG_VOLUME_USER,	/* UserVolumeConfig */
	CONFIG_VOLUME_RAW,
	CONFIG_VOLUME_SWAP,
};

struct config_size {
	bool given;
	bool negative;		/* maxSize: leave this much free */
	bool percent;
	uint64_t value;		/* bytes, or percent */
};

/* Which part of which disk the partition of a volume may take. */
struct config_provisioning {
	bool given;
	char *selector;		/* the CEL expression that selects disks; NULL: the system disk */
	bool grow;		/* at each boot; EPHEMERAL does by default */
	struct config_size min;
	struct config_size max;
};

/* Bytes of "rotateVolumeKey". */
#define CONFIG_SERIAL_MAX 64u

/* Bytes of a mount point. With --root, it still fits into VOLUME_PATH_MAX. */
#define CONFIG_MOUNT_PATH_MAX 127u

struct config_volume {
	char *name;		/* "STATE", "data" */
	char *id;		/* "STATE", "u-data": the partition label too */
	enum config_volume_kind kind;
	char *disk_selector;	/* volumeType disk: the CEL expression that selects a whole disk;
				 * NULL: the volume is the partition labeled id */
	struct config_provisioning provisioning; /* of the partition */
	bool encrypted;		/* provider luks2; false: the fields up to keys are unset, except
				 * in_place: the volume is decrypted, and keys open it */
	char *cipher;		/* aes-xts-plain64, aes-gcm-random or an Adiantum; not NULL if
				 * encrypted */
	uint32_t key_size;	/* bytes of the volume key, without the key of the MAC */
	uint32_t block_size;	/* bytes of a sector; 0: chosen by the device */
	uint32_t perf;		/* enum config_perf */
	bool allow_discards;
	bool in_place;		/* make existing data as declared, instead of refusing it */
	char *rotate_key;	/* the serial: another one replaces the volume key once; or NULL */
	bool online;		/* encrypt in place and re-encrypt while the volume is in use */
	uint64_t limit_rate;	/* bytes per second of that; 0: no limit */
	const char *integrity;	/* "hmac-sha256", "hmac-sha512", "aead"; NULL: none */
	struct config_key *keys;	/* ascending by slot */
	size_t key_count;
	uint32_t recovery_slots; /* bit n: keyslot n is declared for a recovery key */
	enum config_filesystem filesystem;
	enum config_fsck fsck;
	char *mount_point;	/* "/system/state", "/var", "/var/mnt/data"; NULL: not mounted.
				 * At most CONFIG_MOUNT_PATH_MAX bytes */
	bool mount_secure;	/* nosuid, nodev */
	bool mount_noexec;	/* STATE, and secure ETCD, LOG and user volumes */
	bool mount_noatime;
	bool mount_project_quota; /* xfs only */
	bool trim;		/* "trim": discard unused blocks, every trim_interval seconds */
	uint64_t trim_interval;
	unsigned mount_mode;	/* of the root directory of a new file system: 0700 for STATE */
	unsigned line;		/* first line of its document, from 1 */
};

/* machine.install: the disk that becomes the system disk of a blank machine. */
struct config_install {
	char *disk;		/* path, or NULL */
	char *selector;		/* CEL expression, or NULL */
};

struct config {
	/* STATE first, then outer mount points before inner ones, then in the order of the file. */
	struct config_volume *volumes;
	size_t volume_count;
	/*
	 * STATE's encryption exactly as Talos stores it in META under tag 9: in the old format if
	 * machine.systemDiskEncryption declares it, "null" if nothing does.
	 */
	struct mortise_secret *state_json;
	struct config_install install;
};

/* An error or notice. line and column count from 1; 0: it concerns the whole file. */
struct config_diagnostic {
	bool error;		/* false: a notice */
	unsigned line;
	unsigned column;
	char *text;
};

struct config_diagnostics {
	struct config_diagnostic *diagnostic; /* sorted by line and column */
	size_t count;
};

/*
 * Parses text[0..size-1]: YAML 1.1 documents of at most 1 MiB. *diagnostics receives all errors and
 * notices and must be cleared, also after a failure. MORTISE_E_CONFIG if there is any error: then
 * *config is NULL, and err has the first error and their number. source names the text in err
 * ("config.yaml").
 */
MORTISE_MUST_CHECK enum mortise_code config_parse(const char *text, size_t size, const char *source,
						  struct config **config,
						  struct config_diagnostics *diagnostics,
						  struct mortise_error *err);
void config_free(struct config *config);

/*
 * Parses tag 9 of META in either of Talos's formats into a configuration of STATE alone. "null" and
 * an empty value mean that STATE is not encrypted. source names META in err. MORTISE_E_CONFIG.
 */
MORTISE_MUST_CHECK enum mortise_code config_state_parse(const void *json, size_t size,
							const char *source, struct config **config,
							struct mortise_error *err);

/* Adds an unencrypted STATE as the first volume if none is declared: every machine has one. */
MORTISE_MUST_CHECK enum mortise_code config_add_state(struct config *config,
						      struct mortise_error *err);
void config_diagnostics_clear(struct config_diagnostics *diagnostics);

/* "xfs", "ext4", "swap", "none": the name for mount(2), libblkid and mkfs. */
const char *config_filesystem_name(enum config_filesystem filesystem);

/* Is it made once and kept? Not true of swap areas and raw volumes. */
bool config_filesystem_is_persistent(enum config_filesystem filesystem);

/* May a volume be declared with this cipher and key size in bytes? */
bool config_cipher_is_known(const char *cipher, uint32_t key_size);

/* Is this the name of a Talos system volume: STATE, EPHEMERAL, ...? */
bool config_is_system_volume(const char *name);

/* "static", "nodeID", "kms", "tpm". */
const char *config_key_kind_name(enum config_key_kind kind);

#endif
