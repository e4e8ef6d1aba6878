/* SPDX-License-Identifier: MIT */
/*
 * mortise: the META partition and declared volumes. The conventions are those of mortise.h.
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
 * META: 1 MiB, never encrypted, where what must be known before STATE is open stands under
 * numbers: Talos's ADV, two copies with a checksum, and behind them syslinux's older one. A cut
 * while it is written leaves the old content or the new.
 */
enum mortise_meta_tag {
	MORTISE_META_STATE_ENCRYPTION = 9,	/* how STATE is encrypted, as JSON */
	MORTISE_META_UUID_OVERRIDE = 15,	/* instead of the machine's UUID */
};

struct mortise_meta_entry {
	uint8_t tag;		/* 1..255 */
	const char *name;	/* "StateEncryptionConfig"; "" for a tag without a known name */
	const void *value;
	size_t size;		/* bytes */
	bool old;		/* from the older block: no copy of Talos's has the tag */
};

/* What META held when it was read. */
struct mortise_meta;

/*
 * Reads META at device, a partition or a file; NULL: the partition that is labelled META. With
 * no good copy it is empty. MORTISE_E_DEVICE: there is none, or not exactly 1 MiB;
 * MORTISE_E_NOT_EMPTY: it holds something else; MORTISE_E_BUSY: locked for 10 seconds.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_read(const char *device,
						       const struct mortise_events *events,
						       struct mortise_meta **out,
						       struct mortise_error *err);
/* NULL is allowed. Wipes: a value may hold a passphrase. */
void mortise_meta_free(struct mortise_meta **meta);
/* Entry i by ascending tag, NULL past the last. */
const struct mortise_meta_entry *mortise_meta_entry(const struct mortise_meta *meta, size_t i);
/* The entry of a tag, NULL when META does not hold the tag. */
const struct mortise_meta_entry *mortise_meta_find(const struct mortise_meta *meta, uint8_t tag);

/*
 * Reads META under its lock, changes one tag and writes it; device as above. Nothing is written
 * when the value is there already, unless a cut has left the copies different: then they are
 * made alike. The longest value is 262096 bytes. MORTISE_E_NO_SPACE; MORTISE_E_USAGE: tag 0, no
 * UUID under MORTISE_META_UUID_OVERRIDE, or a value that would make META look like a file system.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_set(const char *device,
						      const struct mortise_events *events,
						      uint8_t tag, const void *value, size_t size,
						      struct mortise_error *err);
/* The same without the tag, from the older block too. MORTISE_OK too when there is no such tag. */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_delete(const char *device,
							 const struct mortise_events *events,
							 uint8_t tag, struct mortise_error *err);
/* A tag by its number ("9", "0x9"), not 0, or its name in any case; false when it is neither. */
bool mortise_meta_tag_parse(const char *text, uint8_t *tag);

/* -------------------------------------------------------- declared volumes */

/*
 * A configuration: the documents of one YAML stream that declare volumes. VolumeConfig,
 * UserVolumeConfig, RawVolumeConfig, SwapVolumeConfig and what a v1alpha1 machine configuration
 * says in machine.systemDiskEncryption; documents of other kinds are passed over.
 */
struct mortise_config;

/* A remark on a configuration; line and column from 1, 0 for the document as a whole. */
struct mortise_remark {
	bool error;		/* false: a notice */
	unsigned line;
	unsigned column;
	const char *text;
};

/*
 * Reads a configuration of at most 1 MiB. *out is set in either case, so that its remarks
 * can be shown; MORTISE_E_CONFIG when one of them is an error: nothing else can be done with
 * it then. MORTISE_E_DEVICE when the file cannot be read (*out is NULL).
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_config_read(const char *path, struct mortise_config **out, struct mortise_error *err);
void mortise_config_free(struct mortise_config **config);
/*
 * Adds a STATE that is not encrypted unless one is declared: a machine that carries its
 * configuration has one.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_add_state(struct mortise_config *config,
							      struct mortise_error *err);
/* Remark i, NULL past the last. */
const struct mortise_remark *mortise_config_remark(const struct mortise_config *config, size_t i);

/* "NAME=/dev/X": where a volume is, when partition labels cannot say. */
struct mortise_volume_device {
	const char *name;	/* as in the configuration, or the volume's id */
	const char *device;
};

/*
 * The steps of each volume, the facts that they rest on, and the keys that they need. A plan refers
 * to the configuration that it was made from, which must outlive it.
 */
struct mortise_plan;

struct mortise_up_options {
	size_t struct_size;
	const char *const *names;	/* only these volumes; NULL: all */
	size_t name_count;
	const struct mortise_volume_device *devices; /* META's among them */
	size_t device_count;
	const struct mortise_key_sources *sources; /* NULL: the defaults; kms_endpoint is not used:
					 * keys declare theirs */
	const struct mortise_kdf_choice *cost; /* NULL: the defaults; Argon2id, of new
					 * keyslots for static and nodeID keys;
					 * random passphrases of KMS and TPM need none */
	uint32_t device_wait_ms;	/* wait this long for missing devices, once for each plan */
	uint32_t wait_ms;		/* ask a KMS again for so long when no other key opens */
	const struct mortise_events *events; /* NULL: no progress, no prompts, no cancellation */
	bool recovery;			/* send MORTISE_EVENT_PROMPT for a recovery key when no declared
					 * key opens a volume, at most three times a volume; the
					 * declared keys are then enrolled again */
	bool try_keys;			/* mortise_plan_make: have each new key sealed by its KMS or TPM,
					 * and throw it away */
	const char *extend_word;	/* once all volumes are ready, extend a PCR with it, so that
					 * the TPM unseals no more until the next boot; NULL: no */
	unsigned extend_pcr;		/* 0..23 */
	const char *root;		/* put before mount points; NULL: "" */
	bool check_keys;		/* try every keyslot, also those unchanged since the last sync */
	bool no_mount;			/* stop when the mapping is there */
};

enum mortise_step_kind {
	MORTISE_STEP_FORMAT,		/* an empty device gets a LUKS2 header with all its keys */
	MORTISE_STEP_OPEN,		/* /dev/mapper/luks2-ID is made */
	MORTISE_STEP_KEY_ADD,
	MORTISE_STEP_KEY_REPLACE,
	MORTISE_STEP_KEY_REMOVE,
	MORTISE_STEP_KEY_RECORD,	/* what was found in step is noted in the header */
	MORTISE_STEP_MKFS,		/* a file system, or at every boot a new swap area */
	MORTISE_STEP_MOUNT,		/* or the swap area is switched on */
	MORTISE_STEP_WAIT,		/* cannot be planned yet; text says what it waits for */
	MORTISE_STEP_REFUSE,		/* will not be done: why is in text */
	MORTISE_STEP_FAIL,		/* planning it failed: why is in text */
	MORTISE_STEP_KEY_FAIL,		/* one key is not available or not checked; text says why */
};

const char *mortise_step_kind_name(enum mortise_step_kind kind);

struct mortise_step {
	enum mortise_step_kind kind;
	const char *volume;		/* name in the configuration */
	const char *device;		/* path, "" when not found */
	int keyslot;			/* of key steps and OPEN, else -1 */
	const char *text;		/* the step as a sentence */
};

/*
 * Waits for devices as long as device_wait_ms allows, examines each volume, and decides on its
 * steps. Changes nothing. A KMS or TPM is asked only to unseal a key that opens a volume or that
 * must be compared with its keyslot; new keys are sealed when the plan is executed. A volume that
 * depends on STATE is planned as far as possible; mortise_up plans it again once STATE is mounted.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_plan_make(const struct mortise_config *config,
						       const struct mortise_up_options *options,
						       struct mortise_plan **out,
						       struct mortise_error *err);
/* NULL is allowed. Wipes the keys. */
void mortise_plan_free(struct mortise_plan **plan);
/* Step i in order, NULL past the last. */
const struct mortise_step *mortise_plan_step(const struct mortise_plan *plan, size_t i);
/* What a person should know of what is declared, a sentence each; NULL when there is none. */
const char *mortise_plan_note(const struct mortise_plan *plan, size_t i);

/* How far a volume has come; the names are Talos's. */
enum mortise_phase {
	MORTISE_PHASE_WAITING,
	MORTISE_PHASE_FAILED,
	MORTISE_PHASE_MISSING,		/* no such partition */
	MORTISE_PHASE_LOCATED,
	MORTISE_PHASE_PREPARED,		/* the mapping is there */
	MORTISE_PHASE_READY,		/* mounted, or all that was asked for */
	MORTISE_PHASE_CLOSED,
};

const char *mortise_phase_name(enum mortise_phase phase);

struct mortise_volume_status {
	const char *name;
	const char *id;
	enum mortise_phase phase;
	const char *device;		/* partition, "" when not found */
	const char *mapping;		/* "/dev/mapper/luks2-STATE", "" when there is none */
	const char *mount_point;	/* "" when not mounted; "[swap]" for swap that is on */
	const char *filesystem;		/* "xfs", "ext4", "swap", "none" for a raw volume */
	bool encrypted;
	int keyslot;			/* that opened it, -1 when not known */
	const char *key_kind;		/* of that slot, "" when not known */
	const char *key_kinds;		/* all declared, sorted, by comma: "nodeID,static" */
	bool locked_to_state;		/* one of its keys is */
	const char *failed_syncs;	/* a sentence a line, "" when there were none */
	const char *notices;		/* likewise: a key enrolled again and why, what a TPM key is
					 * not bound to */
	uint32_t recovery_keyslots;	/* bit n: a systemd-recovery token marks keyslot n; of an
					 * open volume */
	const char *error;		/* why it failed or waits, or that it is open in the other
					 * way than is declared; "" */
	const char *text;		/* what was done: "formatted", "opened", "was open", ... */
};

/* A list of volumes and their state. */
struct mortise_report;

void mortise_report_free(struct mortise_report **report);
/* Volume i, NULL past the last. */
const struct mortise_volume_status *mortise_report_volume(const struct mortise_report *report,
							  size_t i);

/*
 * Executes plan, which mortise_plan_make or mortise_config_stored made from the same configuration
 * and options; NULL: makes a plan and executes it. One run at a time on a machine: a second run
 * waits for the first. First, each volume is compared with the plan: device, contents, header, and
 * mapping. A volume that has changed is planned again, which MORTISE_EVENT_NOTICE reports. So is a
 * volume that waited for STATE, after STATE is mounted. A volume that has become empty is not
 * formatted unless the plan said so. A plan is executed once: on return mortise_plan_step shows the
 * steps as executed, and its keys are wiped. The caller frees it.
 *
 * *report is set when MORTISE_OK, MORTISE_E_WAIT, or MORTISE_E_CANCELED is returned; MORTISE_OK
 * means that all volumes are ready (failed syncs do not count). After cancellation each volume has
 * stopped between two steps; another run continues.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_up(const struct mortise_config *config, const struct mortise_up_options *options,
	   struct mortise_plan *plan, struct mortise_report **report, struct mortise_error *err);

/*
 * The configuration that the machine carries, as mortise_apply stores it. With plan (not NULL),
 * STATE is opened with the keys that META holds, nothing is changed, and STATE stays open; *plan is
 * then NULL or a plan for mortise_up, which continues with STATE's volume key. Without plan, while
 * STATE is not mounted, the configuration is META's description of STATE alone, and
 * mortise_config_is_complete is false. *out is also set when the stored file has errors, so that
 * its remarks can be printed. MORTISE_E_WAIT: there is no configuration yet; err says what to do.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_stored(const struct mortise_up_options *options,
							   struct mortise_config **out,
							   struct mortise_plan **plan,
							   struct mortise_error *err);
bool mortise_config_is_complete(const struct mortise_config *config);

/*
 * Gives the machine its configuration, which declares STATE: executes plan as mortise_up does and,
 * as soon as STATE is ready, stores the configuration in STATE and STATE's part in META. staged:
 * only stores it, for the next boot; *report stays NULL. Refused with MORTISE_E_NOT_EMPTY, before
 * the first write, when STATE would not open at the next boot or another volume would be left
 * without a key that opens it; a volume with other contents may be staged, to be reset.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_apply(const struct mortise_config *config,
						   const struct mortise_up_options *options,
						   bool staged, struct mortise_plan *plan,
						   struct mortise_report **report,
						   struct mortise_error *err);

/* Unmounts and closes, in the reverse order, whether open as declared or as it was before. */
MORTISE_MUST_CHECK enum mortise_code mortise_down(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  struct mortise_report **report,
						  struct mortise_error *err);

/* How the volumes stand now. Never writes to a device. */
MORTISE_MUST_CHECK enum mortise_code mortise_status(const struct mortise_config *config,
						    const struct mortise_up_options *options,
						    struct mortise_report **report,
						    struct mortise_error *err);

struct mortise_reset_options {
	size_t struct_size;
	const char *const *names;	/* volumes: "STATE", "data", or an id "u-data" */
	size_t name_count;
	const struct mortise_volume_device *devices; /* META too */
	size_t device_count;
	bool full;			/* overwrite all of the device, not only what opens it */
	const struct mortise_events *events; /* PROGRESS: bytes; cancellation leaves the volume marked
					 * as being reset; NULL: neither */
};

/* What a reset is about to wipe. */
struct mortise_reset_target {
	const char *name;	/* as it was given */
	const char *device;	/* path */
	const char *content;	/* "LUKS2", "xfs", "an interrupted reset", "nothing" */
	uint64_t size;		/* bytes */
	bool in_use;		/* open, mounted or swapped on: it is closed first */
};

struct mortise_reset;

/*
 * Finds the volumes, by device, by the label NAME of a system volume, or by u-NAME, r-NAME,
 * s-NAME; no configuration is needed. Nothing is changed. MORTISE_E_DEVICE, MORTISE_E_USAGE (no
 * volume of this name can be reset).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_find(const struct mortise_reset_options *options,
							struct mortise_reset **out,
							struct mortise_error *err);
void mortise_reset_free(struct mortise_reset **reset);
/* Target i, NULL past the last. */
const struct mortise_reset_target *mortise_reset_target(const struct mortise_reset *reset,
							size_t i);
/* The META partition that forgets how STATE is encrypted; NULL when none does. */
const char *mortise_reset_meta(const struct mortise_reset *reset);

/*
 * Closes and wipes them: the keys first, so that nothing of it opens again, then both ends and
 * every signature, then discard. Resetting STATE drops its encryption from META; a META that has
 * no device given does not belong to a STATE that is given on another disk. Cut off in the
 * middle a volume counts as being reset: it is not formatted, and another reset finishes it.
 * Ends at the first that fails. MORTISE_E_BUSY, MORTISE_E_DEVICE.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_run(struct mortise_reset *reset,
						       struct mortise_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
