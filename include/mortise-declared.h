/* SPDX-License-Identifier: MIT */
/*
 * mortise: the META partition and declared volumes.
 *
 * A configuration declares volumes: where each one is, how it is encrypted, and where it is
 * mounted. The library compares the configuration with the disks, makes a plan, and executes it:
 *
 *	mortise_config_read()	or mortise_config_stored(): the configuration
 *	mortise_plan_make()	the steps that are missing, to be shown and confirmed
 *	mortise_up()		or mortise_apply(): executes the plan and returns a report
 *	mortise_down()		closes the volumes
 *
 * The conventions of mortise.h apply: error codes, ownership, sizes, threads, and struct_size.
 * In addition:
 *
 * - An accessor of element i counts from 0 and returns NULL past the last element. It returns a
 *   pointer into the object. The pointer is valid until the object is freed or is passed to a
 *   function that changes it. The library allocates these structs: later releases may add members
 *   at their end, so do not copy them by size or put them into arrays.
 * - A string in these structs is never NULL, unless its comment says so.
 * - A function that takes a configuration and struct mortise_up_options fails before any other
 *   work if the configuration has errors (MORTISE_E_CONFIG), if the options name a volume that is
 *   not declared, or if a struct_size is invalid (MORTISE_E_USAGE).
 * - mortise_plan_make, mortise_up, mortise_apply and mortise_config_stored process several volumes
 *   at the same time, in at most 16 threads, which end before the function returns.
 *   MORTISE_EVENT_POLL may come from several threads at once; all other events come one at a time.
 *
 * Files: /run/mortise/lock is held by one mortise_up, mortise_apply, mortise_down or
 * mortise_reset_run at a time; others wait for it until canceled. /run/mortise/ID.json records for
 * mortise_status how volume ID was opened, and /run/mortise/last-up the outcome of the last
 * mortise_up of each volume. /run/mortise/ID.continue is held by the mortise_continue that re-encrypts
 * volume ID. In ROOT/system/state, STATE holds the configuration of the machine
 * (config.yaml), the list of its known volumes (volumes.json), the orders of mortise_reset_stage
 * (resets.json) and the times of mortise_trim (trim.json). META holds a copy of STATE's encryption
 * settings. The LUKS2 header of each volume has its keyslots, tokens and records of keys.
 */
#ifndef MORTISE_DECLARED_H
#define MORTISE_DECLARED_H

#include <mortise.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ------------------------------------------------------ the META partition */

/*
 * META is an unencrypted partition of 1 MiB for values that are needed before STATE is open. Each
 * value has a tag, a number from 1 to 255. The format is Talos's ADV: two copies with a checksum,
 * followed by the older block of syslinux at the end of the partition. If the power fails during a
 * write, META holds either the old values or the new ones.
 */
enum mortise_meta_tag {
	MORTISE_META_STATE_ENCRYPTION = 9,	/* how STATE is encrypted, as JSON */
	MORTISE_META_UUID_OVERRIDE = 15,	/* used instead of the firmware's machine UUID */
	MORTISE_META_RESET = 240,	/* the order to erase STATE, as JSON (mortise_reset_stage) */
};

struct mortise_meta_entry {
	uint8_t tag;		/* 1..255 */
	const char *name;	/* "StateEncryptionConfig"; "" for a tag without a known name */
	const void *value;	/* not NUL-terminated */
	size_t size;		/* bytes */
	bool old;		/* from the older block, because neither copy has this tag */
};

/* The values in META at the time of reading. */
struct mortise_meta;

/*
 * Reads META from device, which is a partition or a regular file; NULL: the partition labeled META.
 * Never writes. If neither copy is valid, *out has only the entries of the older block; if the
 * partition is filled with zeros, it has no entries. Waits at most 10 seconds while another program
 * writes, and polls events (or NULL) meanwhile. MORTISE_E_DEVICE: the device does not exist, no
 * partition or more than one is labeled META, or the size is not exactly 1 MiB;
 * MORTISE_E_NOT_EMPTY: the device holds other data; MORTISE_E_BUSY: another program still holds the
 * lock.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_read(const char *device,
						       const struct mortise_events *events,
						       struct mortise_meta **out,
						       struct mortise_error *err);
/* Wipes the values, since one may contain a passphrase. NULL is allowed. */
void mortise_meta_free(struct mortise_meta **meta);
/* Entry i by ascending tag. */
const struct mortise_meta_entry *mortise_meta_entry(const struct mortise_meta *meta, size_t i);
/* The entry with this tag, NULL if META has none. */
const struct mortise_meta_entry *mortise_meta_find(const struct mortise_meta *meta, uint8_t tag);

/*
 * Sets the value of a tag: reads META, changes it and writes both copies, under an exclusive lock
 * of the partition and its disk. device, events and errors are as in mortise_meta_read. A value may
 * have up to 262096 bytes. An unchanged value is not written again, unless an interrupted write
 * left the copies different: then both are written. MORTISE_E_NO_SPACE: the value does not fit next
 * to the others; MORTISE_E_USAGE: tag 0, a value for MORTISE_META_UUID_OVERRIDE that is neither a
 * UUID nor empty, or a value that would make META look like a file system.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_set(const char *device,
						      const struct mortise_events *events,
						      uint8_t tag, const void *value, size_t size,
						      struct mortise_error *err);
/*
 * Deletes a tag from both copies and from the older block. Succeeds if META does not have the tag.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_delete(const char *device,
							 const struct mortise_events *events,
							 uint8_t tag, struct mortise_error *err);
/*
 * Parses a tag: a number from 1 to 255, decimal ("9") or hexadecimal ("0x9"), or a known name in
 * any case. False: text is neither; *tag is unchanged.
 */
bool mortise_meta_tag_parse(const char *text, uint8_t *tag);

/* --------------------------------------------------------- configurations */

/*
 * The volumes that the documents of one YAML stream declare: VolumeConfig, UserVolumeConfig,
 * RawVolumeConfig, SwapVolumeConfig, and machine.systemDiskEncryption of a v1alpha1 machine
 * configuration. Documents of other kinds are skipped.
 *
 * A volume has a name, which the configuration gives it, and an id, which is the label of its
 * partition: the name itself for a system volume (STATE, EPHEMERAL, ...), u-NAME for a user
 * volume, r-NAME for a raw volume, and s-NAME for swap. Options accept names and ids. A name that
 * has the form of an id always means the volume with this id: "STATE" never means the user volume
 * u-STATE.
 */
struct mortise_config;

/* An error or notice about a configuration. */
struct mortise_remark {
	bool error;		/* false: a notice */
	unsigned line;		/* from 1; 0: about a document as a whole */
	unsigned column;	/* from 1; 0: about a document as a whole */
	const char *text;
};

/*
 * Reads a configuration of at most 1 MiB from a file. NULL is the machine's own,
 * /etc/mortise/config.yaml, which other users than root must not be able to write
 * (MORTISE_E_POLICY, and *out is NULL); for another file, a remark says that they can.
 * MORTISE_E_DEVICE: the file cannot be read, and *out is NULL. MORTISE_E_CONFIG: the file is too
 * large, and *out is NULL; or at least one remark is an error, and *out is only good for its remarks.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_config_read(const char *path, struct mortise_config **out, struct mortise_error *err);
/* NULL is allowed. Wipes the text, which may contain passphrases. */
void mortise_config_free(struct mortise_config **config);
/*
 * Adds an unencrypted STATE, unless the configuration declares STATE. A machine that stores its
 * configuration needs STATE. MORTISE_E_CONFIG: the configuration has errors.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_add_state(struct mortise_config *config,
							      struct mortise_error *err);
/* Remark i by line and column. config may be NULL. */
const struct mortise_remark *mortise_config_remark(const struct mortise_config *config, size_t i);

/* ----------------------------------------------------------------- options */

/*
 * The device of a volume, instead of the partition with its label or the disk that its selector
 * matches. If the device of STATE is given and that of META is not, META is the partition labeled
 * META on the same disk; a META partition on another disk is neither read nor changed for STATE.
 *
 * This struct has no struct_size, because callers pass arrays of it: it never changes.
 */
struct mortise_volume_device {
	const char *name;	/* of the volume, or its id; "META" for the META partition */
	const char *device;	/* path */
};

/*
 * Options of the functions below. Zero and NULL mean the default in the comment. The struct is
 * copied; what it points to must stay valid during the call.
 */
struct mortise_up_options {
	size_t struct_size;
	const char *const *names;	/* process only these volumes; NULL: all */
	size_t name_count;
	const struct mortise_volume_device *devices; /* NULL: by label or disk selector */
	size_t device_count;
	/*
	 * NULL: the defaults. Its kms_endpoint is not used, because each declared kms key has its
	 * own; neither are its events, but those below.
	 */
	const struct mortise_key_sources *sources;
	/*
	 * Argon2id cost of new keyslots for static and nodeID keys; NULL: the defaults. Passphrases
	 * of kms and tpm keys are random, and their keyslots always have the least cost.
	 */
	const struct mortise_kdf_choice *cost;
	/* Wait for missing devices at most this long, once for each plan; 0: do not wait. */
	uint32_t device_wait_ms;
	/*
	 * Retry a KMS or TPM that does not answer for at most this long, while no other key opens
	 * the volume or can format it; 0: ask once.
	 */
	uint32_t wait_ms;
	const struct mortise_events *events; /* NULL: no events, no cancellation */
	/*
	 * If no declared key opens a volume that has a recovery key, send MORTISE_EVENT_PROMPT for
	 * it, at most three times for each volume. Afterwards the declared keys are enrolled again.
	 */
	bool recovery;
	/* mortise_plan_make: ask the KMS or TPM to seal each new key, and discard the result. */
	bool try_keys;
	/*
	 * mortise_up, mortise_apply: once all volumes are ready, extend a PCR with the hash of this
	 * word, so that the TPM cannot unseal keys bound to the PCR until the next boot. A PCR is
	 * extended once in a boot. NULL: do not extend.
	 */
	const char *extend_word;
	unsigned extend_pcr;		/* 0..23, with extend_word */
	const char *root;		/* prefix of mount points; NULL: "" */
	bool check_keys;		/* try each keyslot, even if unchanged since the last run */
	bool no_mount;			/* make file systems, but no swap area, and mount nothing */
	/*
	 * Accept headers that have no seal, that have changed since they were sealed, or that belong
	 * to another volume, and seal them; and let a volume replace the known one. mortise_apply
	 * always does. mortise_up does otherwise only for the declared volumes of a machine whose
	 * STATE holds no list of known volumes yet.
	 */
	bool adopt;
	const char *trust;		/* trust file; NULL: /etc/mortise/trust.yaml, if it exists */
	/*
	 * Refuse a keyslot that would take longer than this many seconds on this machine, so that
	 * the next one is tried; 0: 30, or 10 for a kms or tpm key, which needs no stretching.
	 */
	uint32_t max_unlock_s;
	/*
	 * Grow the volumes to their maximum size even if they do not grow at each boot, and those
	 * that are open as well: partition, mapping, and file system.
	 */
	bool grow;
	/*
	 * mortise_up, mortise_apply: make each declared recovery key whose keyslot holds none. The
	 * key is sent with MORTISE_EVENT_RECOVERY_KEY before anything is written, and is not
	 * enrolled unless the callback has handed it over. Otherwise a notice reports the keyslot.
	 */
	bool new_recovery_keys;
	/*
	 * mortise_plan_make: plan to create the partitions of volumes that no partition has the
	 * label of, and META. Only mortise_apply, which always plans so itself, creates them.
	 */
	bool provision;
	/*
	 * With provision: the disk that becomes the system disk, if no disk has META or STATE yet.
	 * NULL: machine.install.disk or machine.install.diskSelector of the configuration.
	 */
	const char *system_disk;
	/*
	 * With provision: create also the partitions of volumes that are known and missing, whose
	 * data is given up.
	 */
	bool recreate;
};

/* -------------------------------------------------------------------- plans */

/*
 * A plan: for each volume its steps, the facts that the steps are based on, and the keys that they
 * need. It refers to the configuration that it was made from, which must outlive it.
 */
struct mortise_plan;

enum mortise_step_kind {
	MORTISE_STEP_FORMAT,		/* write a LUKS2 header with all keys to an empty device */
	MORTISE_STEP_OPEN,		/* create the mapping /dev/mapper/luks2-ID */
	MORTISE_STEP_KEY_ADD,		/* add a keyslot */
	MORTISE_STEP_KEY_REPLACE,	/* replace a keyslot whose key has changed */
	MORTISE_STEP_KEY_REMOVE,	/* remove an undeclared keyslot without a recovery key */
	MORTISE_STEP_KEY_RECORD,	/* record in the header that a keyslot matches its key */
	MORTISE_STEP_MKFS,		/* make a file system, or a new swap area at each boot */
	MORTISE_STEP_MOUNT,		/* mount the volume, or switch on swap */
	MORTISE_STEP_WAIT,		/* cannot be planned yet; text says what it waits for */
	MORTISE_STEP_REFUSE,		/* will not be done; text says why, and the remedy */
	MORTISE_STEP_FAIL,		/* planning the volume failed; text says why */
	MORTISE_STEP_KEY_FAIL,		/* a key is unavailable or unchecked; text says why */
	MORTISE_STEP_SEAL,		/* accept the header of another program, and seal it */
	MORTISE_STEP_RESET,		/* erase the volume, as mortise_reset_stage ordered */
	MORTISE_STEP_GROW,		/* move the end of the partition into the free space behind it */
	MORTISE_STEP_GROW_FS,		/* grow the mapping and the file system of an open volume */
	MORTISE_STEP_PARTITION,		/* create the partition of the volume or, with STATE, META */
	MORTISE_STEP_REENCRYPT,		/* replace the volume key, now or at the next boot (text) */
	MORTISE_STEP_ENCRYPT,		/* encrypt a plain file system in place */
	MORTISE_STEP_DECRYPT,		/* decrypt the volume in place */
};

/* "format", "key-add", ...; "" for an unknown kind. */
const char *mortise_step_kind_name(enum mortise_step_kind kind);

/* A partition that is to be created. */
struct mortise_partition {
	const char *disk;		/* path */
	unsigned number;		/* in the partition table, from 1 */
	uint64_t start;			/* bytes from the start of the disk */
	uint64_t size;			/* bytes */
	const char *label;
	const char *type;		/* GUID in lower case */
};

struct mortise_step {
	enum mortise_step_kind kind;
	const char *volume;		/* name in the configuration */
	const char *device;		/* path, "" if the device was not found */
	int keyslot;			/* of a key step or OPEN; -1: none */
	const char *text;		/* the step in words */
	const struct mortise_partition *partition; /* of a PARTITION step; else NULL */
};

/*
 * Makes a plan: waits for devices as long as device_wait_ms allows, examines each volume, and
 * decides on its steps. Reads devices and derives keys, and writes nothing. A KMS or TPM is asked
 * only to unseal a key that opens a volume or that is compared with its keyslot; new keys are
 * sealed when the plan is executed. A volume that depends on STATE is planned as far as possible;
 * mortise_up completes its plan after mounting STATE. A problem with one volume is a WAIT, REFUSE,
 * FAIL or KEY_FAIL step, not an error of this function. *out is NULL after an error.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_plan_make(const struct mortise_config *config,
						       const struct mortise_up_options *options,
						       struct mortise_plan **out,
						       struct mortise_error *err);
/* NULL is allowed. Wipes the keys. */
void mortise_plan_free(struct mortise_plan **plan);
/* Step i, in the order of the volumes in the configuration, STATE first. */
const struct mortise_step *mortise_plan_step(const struct mortise_plan *plan, size_t i);
/* Note i, a sentence for the user about the limits and requirements of the declared keys. */
const char *mortise_plan_note(const struct mortise_plan *plan, size_t i);

/* ------------------------------------------------------------------ reports */

/* How far a volume has come. The names are those of Talos. */
enum mortise_phase {
	MORTISE_PHASE_WAITING,		/* cannot continue yet, or canceled; error says why */
	MORTISE_PHASE_FAILED,		/* error says why */
	MORTISE_PHASE_MISSING,		/* the device was not found */
	MORTISE_PHASE_LOCATED,		/* the device was found */
	MORTISE_PHASE_PREPARED,		/* the mapping exists */
	MORTISE_PHASE_READY,		/* mounted, or in use as far as declared and requested */
	MORTISE_PHASE_CLOSED,		/* by mortise_down */
};

/* "waiting", "failed", ...; "" for an unknown phase. */
const char *mortise_phase_name(enum mortise_phase phase);

/* As df(1) counts: used + available may be less than size, because root has a reserve. */
struct mortise_filesystem_use {
	uint64_t size;			/* bytes */
	uint64_t used;			/* bytes */
	uint64_t available;		/* bytes, to users other than root */
	uint64_t inodes;		/* 0: the file system has no fixed number */
	uint64_t inodes_used;
};

struct mortise_volume_status {
	const char *name;
	const char *id;
	enum mortise_phase phase;
	const char *device;		/* path, "" if the device was not found */
	const char *mapping;		/* "/dev/mapper/luks2-STATE", "" without a mapping */
	const char *mount_point;	/* "" if not mounted; "[swap]" for swap that is on */
	const char *filesystem;		/* "xfs", "ext4", "btrfs", "swap"; "none": raw */
	bool encrypted;			/* as declared */
	int keyslot;			/* that opened the volume; -1: unknown */
	const char *key_kind;		/* declared for that keyslot: "nodeID"; "" if unknown */
	const char *key_kinds;		/* all declared kinds, sorted: "nodeID,static" */
	bool locked_to_state;		/* at least one key is locked to STATE */
	const char *failed_syncs;	/* key steps that failed, one sentence a line; "" */
	/*
	 * One sentence on each line: why a key was enrolled again, what a TPM key is not bound to,
	 * ...; "".
	 */
	const char *notices;
	/* Of an open volume, bit n: keyslot n has a recovery key (a systemd-recovery token). */
	uint32_t recovery_keyslots;
	/*
	 * Why the volume failed or waits; or that it is open in another way than declared,
	 * encrypted instead of unencrypted, or the reverse; "".
	 */
	const char *error;
	const char *text;		/* what was done: "formatted", "was open", ...; "" */
	/* mortise_status: UUID of the LUKS2 header or of the file system; "" without one. */
	const char *uuid;
	/*
	 * mortise_status: what the list of known volumes in STATE says: "known"; "other", if the
	 * known volume has another UUID or was not encrypted as declared; "unknown"; "expected", if
	 * mortise_up takes the volume as it is; "formatting", "encrypting" or
	 * "decrypting", if that may be unfinished;
	 * "damaged", if the list cannot be read. "" if there is no list, or STATE is not mounted.
	 */
	const char *known;
	/* mortise_status, of an encrypted volume: "none" or "unverified"; "" if it is unreadable. */
	const char *seal;
	/* The members below are set by mortise_status only. */
	uint64_t size;			/* of the device, in bytes; 0 if it is unknown */
	const char *disk;		/* path of the disk with the partition; "" if not a partition */
	unsigned partition;		/* its number in the partition table, from 1; 0: no partition */
	const char *partition_uuid;	/* "" if there is none */
	uint32_t pcrs;			/* bit n: a tpm key in the header is bound to PCR n */
	bool signed_pcr_11;		/* a tpm key is bound to the signed policy of PCR 11 */
	bool discards;			/* the mapping passes discards to the device */
	struct mortise_filesystem_use use; /* all 0 unless it is mounted */
	/* The last mortise_up or mortise_apply of this boot that processed the volume. */
	int64_t last_up;		/* its end, in seconds since 1970; 0: none */
	const char *last_error;		/* why it did not make the volume ready; "" if it did */
	int64_t last_trim;		/* the last mortise_trim, in seconds since 1970; 0: never */
	uint64_t last_trim_bytes;	/* discarded then */
	bool reset_staged;		/* mortise_status: the next mortise_up erases the volume */
	/*
	 * The result of the check of the file system before its last mount: "clean",
	 * "corrected: ...", "errors: ...", "not checked: ..."; "" if there was none in this boot.
	 */
	const char *fsck;
	/*
	 * mortise_status: how far the volume key is replaced ("12 of 96 MiB are re-encrypted; ..."),
	 * or that this is ordered for the next boot; else "".
	 */
	const char *reencryption;
	uint64_t reencrypted;		/* mortise_status: bytes that are re-encrypted */
	uint64_t reencrypt_total;	/* bytes of the data; 0: no reencryption is unfinished */
	bool reencrypt_runs;		/* a process runs mortise_continue for it now */
};

/* A list of volumes and their state. It refers to the configuration, which must outlive it. */
struct mortise_report;

/* NULL is allowed. */
void mortise_report_free(struct mortise_report **report);
/* The status of volume i, in the order in which the volumes were processed. */
const struct mortise_volume_status *mortise_report_volume(const struct mortise_report *report,
							  size_t i);

/* ------------------------------------------------- opening, storing, closing */

/*
 * Executes plan, which mortise_plan_make or mortise_config_stored made from the same configuration
 * and options. plan may be NULL: then a plan is made and executed.
 *
 * First, each volume is compared with its plan: device, contents, header, and mapping. If one has
 * changed, it is planned again, and MORTISE_EVENT_NOTICE reports that; but a volume that has become
 * empty is formatted only if its plan said so. A volume that waited for STATE is planned again
 * after STATE is mounted, which MORTISE_EVENT_NOTICE reports as well. MORTISE_EVENT_STEP_BEGIN and
 * MORTISE_EVENT_STEP_END are sent for each step. Steps that remove keys come last. If a key step
 * fails, the remaining steps are still executed; any other failure ends the work on that volume.
 * When STATE is ready, its encryption settings in META are updated; no key of STATE is removed
 * before that.
 *
 * STATE lists the volumes that were ready before. A known volume is not formatted again, and another
 * LUKS2 volume in its place is not opened; only mortise_apply (options->adopt) and mortise_reset_run
 * replace it. While STATE is declared but not mounted, no other volume is formatted, and no keyslot
 * of another volume is changed.
 *
 * A plan can be executed once. Afterwards mortise_plan_step shows the steps as executed, and the
 * keys are wiped. The caller still owns the plan.
 *
 * MORTISE_OK: all volumes are ready (failed key steps do not count). MORTISE_E_WAIT: at least one
 * volume is not; the report says why. MORTISE_E_CANCELED: each volume stopped between two steps,
 * and another run continues. MORTISE_E_USAGE: plan has been executed, or was made from another
 * configuration. *report is NULL if the call failed before it processed the first volume;
 * otherwise the caller frees it, whatever code is returned.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_up(const struct mortise_config *config, const struct mortise_up_options *options,
	   struct mortise_plan *plan, struct mortise_report **report, struct mortise_error *err);

/*
 * Reads the machine's configuration, which mortise_apply stored in STATE. options->names is used
 * only for the plan.
 *
 * With plan (not NULL), STATE and META are waited for as long as device_wait_ms allows. If STATE is
 * not mounted, it is opened with the keys in META and mounted; nothing is changed, and STATE stays
 * open. *plan is then a plan for mortise_up, which continues with STATE's volume key; otherwise it
 * is NULL.
 *
 * With plan NULL nothing is opened. If STATE is not mounted, the configuration consists of STATE
 * alone, as META describes it, and mortise_config_is_complete returns false.
 *
 * *out is also set if the stored file has errors, for its remarks. MORTISE_E_WAIT: no configuration
 * has been stored; err says how to store one. MORTISE_E_DEVICE: this machine has no STATE. The
 * errors of opening STATE are those of mortise_up.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_stored(const struct mortise_up_options *options,
							   struct mortise_config **out,
							   struct mortise_plan **plan,
							   struct mortise_error *err);
/* False: META's description of STATE, without the other volumes. */
bool mortise_config_is_complete(const struct mortise_config *config);

/*
 * Unlocks the one volume that the options name with any of its declared keys, to change its keyslots
 * by hand: the header knows its volume key. Nothing is changed. *recovery_keyslot, unless it is NULL,
 * receives the first declared keyslot of a recovery key, or MORTISE_ANY. MORTISE_E_KEY: no declared
 * key opens the volume, or mortise_up would refuse it; MORTISE_E_POLICY: its header has no seal yet.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_volume_unlock(const struct mortise_config *config,
							   const struct mortise_up_options *options,
							   struct mortise_luks2 **header,
							   int *recovery_keyslot,
							   struct mortise_error *err);

/*
 * Makes config the configuration of this machine. Executes plan as mortise_up does (NULL: makes
 * one); as soon as STATE is ready, and before any other volume is changed, stores the configuration
 * in STATE and STATE's encryption settings in META. With staged, only stores both, for the next
 * boot: STATE must exist, no volume is changed, and *report stays NULL.
 *
 * config must declare STATE, and the options must include it: no names, not no_mount
 * (MORTISE_E_USAGE). MORTISE_E_DEVICE: STATE is declared encrypted, and no META partition exists
 * that could hold its settings. MORTISE_E_NOT_EMPTY, before the first write, with *report NULL:
 * STATE would not open at the next boot, or a volume holds other data, or no declared key opens it.
 * With staged, only STATE is checked, so that other volumes can be reset before the next boot.
 * Other codes are those of mortise_up, or say why the configuration was not stored.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_apply(const struct mortise_config *config,
						   const struct mortise_up_options *options,
						   bool staged, struct mortise_plan *plan,
						   struct mortise_report **report,
						   struct mortise_error *err);

/*
 * Unmounts and closes volumes in reverse order, whether they are open as declared or not:
 * encrypted instead of unencrypted, or the reverse. If config is META's description of STATE alone
 * (mortise_config_is_complete is false), also closes every other encrypted volume that mortise_up
 * opened in this boot and the options name; names are then not checked. Continues after a failure.
 * MORTISE_E_BUSY: at least one volume could not be closed; the report says why.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_down(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  struct mortise_report **report,
						  struct mortise_error *err);

/*
 * Reports the state of the volumes now. Takes no lock and writes to no device. MORTISE_OK does not
 * mean that the volumes are ready: the report says that.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_status(const struct mortise_config *config,
						    const struct mortise_up_options *options,
						    struct mortise_report **report,
						    struct mortise_error *err);

/* ------------------------------------------------------------ reencryption */

/*
 * Continues the reencryption of each volume that is open, while it is in use, up to the end: of the
 * volumes that options name, or of all. mortise_up and mortise_apply begin it if the configuration says
 * "when: online", and keep the volume keys for this function in root's keyring; without them, the
 * declared keys are used. Other functions may run meanwhile; mortise_down stops it. Each volume sends
 * MORTISE_EVENT_STEP_BEGIN and _END of a REENCRYPT step, and MORTISE_EVENT_PROGRESS between. A
 * cancellation ends the function after the part that is being written; another call, also after another
 * boot, continues. rate: bytes per second at most, 0: as the configuration says. At the end, the function
 * calls mortise_up, which records the new volume keys. The report has the volumes that were in
 * reencryption. MORTISE_E_BUSY: another process continues the reencryption. MORTISE_E_WAIT: the volume is
 * being closed.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_continue(const struct mortise_config *config,
						      const struct mortise_up_options *options,
						      uint64_t rate, struct mortise_report **report,
						      struct mortise_error *err);

/* --------------------------------------------------------------------- trim */

enum mortise_trim_state {
	MORTISE_TRIM_DONE,		/* unused blocks were discarded */
	MORTISE_TRIM_NOT_DUE,		/* the interval has not passed since the last time */
	MORTISE_TRIM_SKIPPED,		/* impossible as it is configured or mounted; text says why */
	MORTISE_TRIM_FAILED,		/* text says why */
};

/* "trimmed", "not due", "skipped", "failed"; "" for an unknown state. */
const char *mortise_trim_state_name(enum mortise_trim_state state);

/* A volume that mortise_trim has considered. */
struct mortise_trim_volume {
	const char *name;
	const char *id;
	const char *mount_point;	/* "" if it is not mounted */
	enum mortise_trim_state state;
	uint64_t bytes;			/* MORTISE_TRIM_DONE: discarded, as the file system counts */
	int64_t last;			/* the last time, in seconds since 1970; 0: never */
	uint64_t interval;		/* seconds; 0: the configuration has no "trim" */
	const char *text;		/* why, "" if there is nothing to say */
};

struct mortise_trim;

/*
 * Discards the unused blocks of the mounted file systems of volumes whose "trim" is due: of the
 * volumes that options name, or of all that declare it. force: whether or not it is due, and of a
 * named volume also without "trim". The times are kept in trim.json in STATE or, while STATE is not
 * mounted, in /run/mortise/trim. MORTISE_OK does not mean that all went well: the states say that.
 * MORTISE_E_CANCELED: *out has the volumes up to that point.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_trim(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  bool force, struct mortise_trim **out,
						  struct mortise_error *err);
/* NULL is allowed. */
void mortise_trim_free(struct mortise_trim **trim);
/* Volume i, in the order of the configuration. */
const struct mortise_trim_volume *mortise_trim_volume(const struct mortise_trim *trim, size_t i);

/* -------------------------------------------------------------------- reset */

/* Zero and NULL mean the default in the comment. */
struct mortise_reset_options {
	size_t struct_size;
	const char *const *names;	/* volumes to erase: "STATE", "data", or an id "u-data" */
	size_t name_count;		/* at least 1 */
	/* NULL: by label. The device of STATE may be given even if STATE is not erased. */
	const struct mortise_volume_device *devices;
	size_t device_count;
	bool full;			/* overwrite the whole device, not only its keys */
	/*
	 * MORTISE_EVENT_PROGRESS in bytes, and cancellation; NULL: neither. Not copied: it must
	 * outlive the struct mortise_reset.
	 */
	const struct mortise_events *events;
	bool drop;			/* then delete the partitions of the volumes */
};

/* A volume that a reset would erase. */
struct mortise_reset_target {
	const char *name;	/* as in the options */
	const char *device;	/* path */
	const char *content;	/* "LUKS2", "xfs", "an interrupted reset", "nothing", ... */
	uint64_t size;		/* of the device, in bytes */
	bool in_use;		/* open, mounted, or in use as swap; the reset closes it first */
};

struct mortise_reset;

/*
 * Finds the volumes to erase, without a configuration. The device is the one in options->devices;
 * else the partition labeled NAME, if NAME is a system volume or begins with u-, r- or s-; else the
 * only partition labeled u-NAME, r-NAME or s-NAME. Changes nothing. MORTISE_E_DEVICE: no such
 * partition, more than one, or the device is too small for a volume. MORTISE_E_USAGE: no names, an
 * invalid name (META is one), two names for one device, a device for a name that is not to be
 * erased, or a disk that has partitions.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_find(const struct mortise_reset_options *options,
							struct mortise_reset **out,
							struct mortise_error *err);
/* NULL is allowed. */
void mortise_reset_free(struct mortise_reset **reset);
/* Volume i, in the order of the options. */
const struct mortise_reset_target *mortise_reset_target(const struct mortise_reset *reset,
							size_t i);
/*
 * The path of the META partition from which the reset deletes STATE's encryption settings; NULL:
 * STATE is not erased, or META has no settings for it.
 */
const char *mortise_reset_meta(const struct mortise_reset *reset);

/*
 * Closes the volumes and erases them, one after another: first the header area with the keys, so
 * that the data can never be decrypted, then both ends of the device and every known signature;
 * then the rest is discarded if the disk supports it. Erasing STATE also deletes its encryption
 * settings from META. If STATE is mounted, the volume is removed from its list of known volumes;
 * otherwise MORTISE_EVENT_NOTICE says that the list is unchanged, and mortise_up does not format the
 * volume again. Events come from the calling thread.
 *
 * If it is interrupted or canceled, a volume is either intact or marked as being reset. A marked
 * volume is not formatted by mortise_up; another reset completes it. Ends at the first error.
 * MORTISE_E_BUSY: a volume is in use and cannot be closed; MORTISE_E_CHANGED: the device or its
 * contents have changed since mortise_reset_find; MORTISE_E_NOT_EMPTY: the device does not keep
 * what was written; MORTISE_E_DEVICE.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_run(struct mortise_reset *reset,
						       struct mortise_error *err);

/*
 * Orders the reset instead of executing it: the next mortise_up or mortise_apply that finds the
 * volumes closed erases them before it opens them, and formats those that are declared. The order
 * is stored in STATE, which must be mounted (MORTISE_E_WAIT); if STATE is one of the volumes, in META,
 * and mortise_apply does not execute it. MORTISE_E_DEVICE: the machine has no STATE or no META. The
 * order is for the present contents alone: if the device holds another volume then, it is dropped.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_stage(struct mortise_reset *reset,
							 struct mortise_error *err);
/*
 * Withdraws the orders for options->names. MORTISE_E_USAGE: one of them has no order, and nothing
 * was changed. Otherwise as mortise_reset_stage.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reset_withdraw(const struct mortise_reset_options *options, struct mortise_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
