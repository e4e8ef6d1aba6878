/* SPDX-License-Identifier: MIT */
/*
 * The plan: for each volume its steps, the facts that they are based on, and the keys that they
 * need. Making a plan reads devices and derives keys, but writes nothing. Executing a plan makes no
 * decisions.
 */
#ifndef VOLUME_PLAN_H
#define VOLUME_PLAN_H

#include <stdatomic.h>

#include "keys/sources/sources.h"
#include "luks2/header.h"
#include "config/config.h"
#include "config/trust.h"
#include "declared/budget.h"
#include "declared/known.h"
#include "declared/patience.h"
#include "declared/reset/orders.h"
#include "declared/tpm_memory.h"
#include "disk/probe.h"
#include "volume/record.h"
#include "volume/sealed.h"

#define VOLUME_PATH_MAX 256u

/* Whether a run can use the list of known volumes (declared/plan_known.h). */
enum known_state {
	KNOWN_UNUSED,		/* STATE is not declared, or is not mounted with no_mount */
	KNOWN_LATER,		/* this run may still mount STATE */
	KNOWN_MISSING,		/* this run does not mount STATE */
	KNOWN_DAMAGED,		/* why says why */
	KNOWN_LISTED,
};

struct volume_known {
	enum known_state state;
	struct known_list list;
	struct mortise_error why;
	char dir[VOLUME_PATH_MAX]; /* where STATE is mounted */
	struct reset_orders orders;
};

struct partition_layout;	/* declared/partition.h */
struct partition_planned;

/* The context of one run, shared by the threads that work on its volumes. */
struct volume_run {
	const struct mortise_config *machine;
	const struct config *config;	/* the volumes of machine */
	const struct mortise_up_options *options;
	struct config_trust *trust;	/* not NULL; the defaults without a trust file */
	struct mortise_events events;	/* forwards to options->events, one event at a time except
					 * for polls */
	pthread_mutex_t events_lock;
	atomic_bool canceled;
	struct volume_budget budget;	/* memory for key derivations */
	struct volume_waits waits;
	struct volume_known known;
	struct volume_memory memory;
	struct mortise_key_sources sources; /* from options, with META's UUID if it is permitted */
	char node_uuid[VOLUME_NODE_UUID_ROOM]; /* of META */
	const char *meta_uuid;		/* only opens existing keyslots; NULL: none */
	char meta_notice[512];		/* why META's UUID is not used; or "" */
	bool unlock;			/* the volume key is needed, even if the volume is open */
	bool open_only;			/* open STATE as META describes it, change nothing */
	bool store;			/* store the configuration in STATE (mortise_apply) */
	bool keep_keys;			/* leave headers and volume keys in the plan */
	bool state_may_come;		/* this run may still mount STATE */
	bool refused;			/* volume_plan_check_apply failed before the first write */
	struct mortise_error not_stored; /* why META or the configuration could not be written
					  * although STATE is ready */
	pthread_mutex_t cost_lock;
	struct mortise_kdf cost;	/* full cost of new keyslots, once measured */
	bool cost_known;
	pthread_mutex_t order_lock;
	pthread_cond_t order_changed;
	bool *unfinished;		/* for each volume: this run has not finished it yet */
	struct partition_layout *layout; /* of the plan; NULL: this run creates no partition */
};

struct volume_step {
	enum mortise_step_kind kind;
	int keyslot;			/* -1: none */
	const struct config_key *key;	/* NULL for steps that need none, and for a recovery key */
	bool recovery;			/* KEY_ADD, KEY_REPLACE: a recovery key */
	struct volume_key made;		/* KEY_ADD, KEY_REPLACE: the new key, once made */
	struct mortise_error why;	/* KEY_ADD, KEY_REPLACE: why the key could not be made */
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE]; /* KEY_RECORD */
	uint64_t size;			/* GROW: bytes of the partition afterwards */
	bool later;			/* REENCRYPT: only order it */
	bool online;			/* REENCRYPT: only begin it; mortise_continue() does it */
	struct partition_planned *partition; /* PARTITION; in the layout of the plan */
	char notice[VOLUME_NOTICE_MAX];	/* for the report, once the step has finished; or "" */
	char text[MORTISE_ERROR_TEXT];
	struct mortise_step shown;	/* set when the caller requests it */
};

/* The result of using one declared key. It is valid for one state of the header. */
struct key_attempt {
	bool requested;			/* from its source */
	struct mortise_secret *passphrase; /* NULL: not available */
	bool tried;			/* on its keyslot; why.code is MORTISE_OK if it opened */
	bool opened_by_first_line;	/* only the passphrase's first line opened it */
	bool by_meta_uuid;		/* passphrase was made with meta_uuid of the run */
	struct mortise_error why;	/* why it is not available or does not open its keyslot */
};

struct volume_plan {
	const struct config_volume *volume;
	bool planned;			/* the steps are decided */
	bool waits;			/* for STATE or a key source; planned again later */
	bool lacks_salt;		/* a new key is locked to STATE, and has no step */
	char device[VOLUME_PATH_MAX];	/* "" if not found */
	char mapping[MORTISE_NAME_MAX + 1]; /* "luks2-STATE" */
	char mount_point[VOLUME_PATH_MAX];  /* including the root; "": not mounted */
	struct disk_probe probe;
	enum reset_plan reset;		/* what becomes of an order to erase the volume */
	struct disk_probe erased;	/* RESET_ERASE: the contents; probe is that of an empty device */
	bool shared;			/* another partition has the same label */
	bool active;			/* the mapping exists already */
	bool tableless_mapping;		/* from a killed run; OPEN removes it */
	bool mounted;			/* this mapping or device, at mount_point */
	bool has_header;		/* on the device, or in header_file */
	char header_file[VOLUME_PATH_MAX]; /* the detached header in STATE, or "" */
	/* Read-only until a step writes. Owns the volume key, once it is known. */
	struct mortise_luks2 *header;
	uint64_t round_ms;		/* when its sources were last retried */
	struct key_attempt *attempts;	/* one for each declared key */
	int opened;			/* keyslot that opened the volume, or -1 */
	bool opened_by_meta;		/* by the UUID in META, which is not permitted otherwise */
	uint32_t lacks_recovery;	/* bit n: no recovery key is in declared keyslot n */
	bool recovered;			/* with a recovery key; lost keys are enrolled again */
	uint64_t growth;		/* bytes that a GROW step adds to the partition */
	struct partition_planned *partition; /* that this run creates; NULL: the device exists */
	bool verified;			/* by an earlier run of this boot; no key is derived */
	bool proven;			/* a declared key is known to open the volume */
	bool listed;			/* planned with the list of known volumes */
	bool was_unlisted;		/* an earlier plan could not show what the list changes */
	bool unlisted;			/* opened without the list: no key is changed */
	char replaces[256];		/* what an operator's plan does to the list; or "" */
	bool encrypts;			/* a plain file system is encrypted in place, or still is in part */
	uint64_t header_room;		/* with encrypts: bytes of the header, and as many behind the
					 * file system; 0: the header goes to STATE */
	bool converts;			/* to the declared cipher, key size or sector size */
	bool adopted;			/* a SEAL step accepts the header as it is */
	bool unrecorded;		/* the header has no room for the record of each key */
	bool marks_unproven;		/* no seal has ever covered the recovery tokens as they are */
	bool unsealed_state;		/* whether it is adopted depends on its contents */
	struct volume_step *steps;
	size_t step_count;
	bool failed;			/* it ends with a WAIT, REFUSE or FAIL step */
	bool no_key;			/* the volume exists, but no declared key opens it */
	bool keys_replaced;		/* its previous key may no longer be declared */
	char notice[1024];		/* for the report: the volume was planned again; or "" */
};

struct mortise_plan {
	const struct mortise_config *config;
	struct volume_plan **volumes;	/* in the order of the configuration */
	size_t count;
	char **notes;			/* sentences, note_count of them */
	size_t note_count;
	struct partition_layout *layout; /* NULL: no partition is to be created */
	bool waited;			/* for its devices */
	bool executed;
};

/* Initializes run. End it with volume_run_clear, also after a failure. Do not move run. */
MORTISE_MUST_CHECK enum mortise_code volume_run_init(struct volume_run *run,
						     const struct mortise_config *config,
						     const struct mortise_up_options *options,
						     struct mortise_error *err);
void volume_run_clear(struct volume_run *run);

/* Does this key, or a key of these volumes, need the machine's UUID? */
bool volume_key_needs_node_uuid(const struct config_key *key);
bool volume_needs_node_uuid(const struct config *volumes);

/* Is the mount point of inner below that of outer? */
bool volume_is_above(const struct config_volume *outer, const struct config_volume *inner);

/* Waits for the volumes whose mount points are above this volume's. False: canceled. */
MORTISE_MUST_CHECK bool volume_run_wait_for_outer(struct volume_run *run,
						  const struct config_volume *volume);
void volume_run_set_unfinished(struct volume_run *run, const struct config_volume *volume,
			       bool unfinished);

/* Sends MORTISE_EVENT_NOTICE. */
void volume_run_notify(struct volume_run *run, const char *volume, const char *text);

/* Creates a plan of the wanted volumes of config, without steps. */
MORTISE_MUST_CHECK enum mortise_code volume_plans_new(const struct mortise_config *config,
						      const struct mortise_up_options *options,
						      struct mortise_plan **out,
						      struct mortise_error *err);

/* The same for options of the caller, which are checked and copied to *wanted first. */
MORTISE_MUST_CHECK enum mortise_code volume_plans_begin(const struct mortise_config *config,
							const struct mortise_up_options *options,
							struct mortise_up_options *wanted,
							struct mortise_plan **out,
							struct mortise_error *err);

/* Wipes and frees header, keys and passphrases; the steps stay. */
void volume_plan_wipe(struct volume_plan *plan);
void volume_plan_free(struct volume_plan *plan);

/* These clear parts of a volume's plan, for volume_plan_make. */
void volume_plan_forget_attempts(struct volume_plan *plan);
void volume_plan_forget_header(struct volume_plan *plan); /* and the attempts */
void volume_plan_clear_decisions(struct volume_plan *plan);

/* The volume key, which the header owns, or NULL if it is not known yet. */
const struct mortise_secret *volume_plan_key(const struct volume_plan *plan);

/*
 * Moves STATE's header and volume key from a finished plan to a plan of STATE from another
 * configuration.
 */
void volume_plan_continue(struct volume_plan *plan, struct volume_plan *finished);

/* Seconds that the keyslot of a declared key may take; NULL: any keyslot, such as a recovery key's. */
uint32_t volume_max_unlock(const struct volume_run *run, const struct config_key *key);

/* Makes the header use the time limit, memory budget and cancellation of run; NULL: use none. */
void volume_plan_attach(struct volume_plan *plan, struct volume_run *run);

/*
 * Decides on the steps of one volume. Failures of the volume become steps; the call itself fails
 * only with MORTISE_E_MEMORY and MORTISE_E_CANCELED. A further call plans again, without deriving
 * or requesting keys that are already known for the same header.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_make(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/*
 * Compares the volume with its plan: device, contents, header, and mapping. False: it has changed;
 * *what describes the change.
 */
bool volume_plan_is_current(const struct volume_run *run, const struct volume_plan *plan,
			    const char **what);

/*
 * Plans each volume again that has changed since it was planned, and reports it. Refuses to format
 * a volume whose plan did not say so.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plans_refresh(struct volume_run *run, struct mortise_plan *plans, struct mortise_error *err);

/* Plans a volume again that waited for STATE or a key source, and reports its steps. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_second_stage(struct volume_run *run,
							      struct volume_plan *plan,
							      struct mortise_error *err);

/*
 * Makes the keys of KEY_ADD and KEY_REPLACE steps; a KMS or TPM seals each of them once. If a key
 * cannot be made, step->why says why. While a format has no key at all, retries unreachable sources
 * for as long as the options allow. Fails only with MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_make_keys(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);
/* Why no key of a plan that formats could be made, or NULL. Call volume_make_keys first. */
const struct mortise_error *volume_format_lacks_key(const struct volume_plan *plan);

/*
 * Checks that the configuration can be stored. MORTISE_E_NOT_EMPTY: STATE would not open at the
 * next boot, or a volume would have no key that opens it.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plans_check_apply(const struct mortise_plan *plans, bool staged, struct mortise_error *err);
/* The same for one volume. */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_check_apply(const struct volume_plan *plan, bool staged, struct mortise_error *err);

/* Appends a step. NULL: out of memory. */
__attribute__((format(printf, 4, 5))) struct volume_step *
volume_plan_add(struct volume_plan *plan, enum mortise_step_kind kind, int keyslot,
		const char *format, ...);

/* The same for a step that needs no other members; returns a code. */
#define VOLUME_PLAN_ADD(plan, err, ...)                                                         \
	(volume_plan_add(plan, __VA_ARGS__) ? MORTISE_OK                                         \
					    : error_memory(err))

/*
 * Adds a REFUSE step for a device with other contents than those declared. The remedy follows the
 * text of format: never a reset where a header can be restored.
 */
__attribute__((format(printf, 4, 5))) MORTISE_MUST_CHECK enum mortise_code
volume_plan_refuse(const struct volume_run *run, struct volume_plan *plan,
		   struct mortise_error *err, const char *format, ...);
/*
 * Sets plan->shared. An empty device is not formatted if it is write-protected, nor if another
 * partition has its label: it may not be the volume's.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_format(const struct volume_run *run,
							      struct volume_plan *plan,
							      struct mortise_error *err);
/*
 * Of two partitions with one label, only the one with the known PARTUUID is used, unless the volume
 * is open already. A copy of the disk has the same UUIDs. False: what says so.
 */
bool volume_plan_is_on_known_partition(const struct volume_run *run, const struct volume_plan *plan,
				       const char *known, char *what, size_t room);
/* Does the device hold nothing, or an interrupted format? */
bool volume_plan_is_unformatted(const struct volume_plan *plan);

/*
 * Adds a KEY_ADD step or, if reason is not NULL, a KEY_REPLACE step, with the reason for replacing
 * the keyslot ("": the declaration has changed). The key is made when the plan is executed. If it
 * is known without contacting its source that the key cannot be made, adds no step and sets *why;
 * otherwise why->code is MORTISE_OK.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_new_key(struct volume_run *run, struct volume_plan *plan, const struct config_key *key,
		    const char *reason, struct mortise_error *why, struct mortise_error *err);

/* Does the plan write a new header? */
bool volume_plan_formats(const struct volume_plan *plan);

/* Where the header of the volume is. Borrows the texts of plan. */
struct mortise_location volume_plan_location(const struct volume_plan *plan, bool readonly,
					     const struct mortise_events *events);

/* Converts step i to its public form. */
void volume_plan_show(const struct volume_plan *plan, size_t i, struct mortise_step *step);

/*
 * The format of a declared volume, except the metadata size: that depends on the keys. Borrows the
 * volume's texts.
 */
struct mortise_format volume_format_of(const struct config_volume *volume);

/*
 * Adds the FORMAT step and a step for each first key, or a FAIL step if no key is available.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_format(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/* The same for the keys of a new header, after the step that writes it. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_first_keys(struct volume_run *run,
							    struct volume_plan *plan,
							    struct mortise_error *err);

/*
 * Checks before the first write whether the file system or swap area can be created (create) and
 * mounted: room, programs, kernel, mount point. If not, adds a FAIL step.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_place(const struct volume_run *run,
							     struct volume_plan *plan, bool create,
							     struct mortise_error *err);

/*
 * Adds the steps that create and mount the file system on device, or a FAIL step if
 * volume_plan_check_place() does.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_filesystem(const struct volume_run *run,
							    struct volume_plan *plan,
							    const char *device, bool create,
							    struct mortise_error *err);

/* Makes every new key, to see whether its source works, and discards it (options->try_keys). */
MORTISE_MUST_CHECK enum mortise_code volume_plan_try_new_keys(struct volume_run *run,
							      struct volume_plan *plan,
							      struct mortise_error *err);

/* Adds a step for each declared recovery key that is missing, if the run makes them. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_recovery(struct volume_run *run,
							  struct volume_plan *plan,
							  struct mortise_error *err);

/* Adds the steps that make the keyslots match the declared keys. The volume key is known. */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_keys(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/*
 * The volume is open, but its key is not known: adds a step for each undeclared keyslot that stays
 * for this reason. spent: its tpm key has opened it, and cannot be unsealed again in this boot.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_kept_keys(struct volume_plan *plan, bool spent,
							   struct mortise_error *err);

/*
 * Compares the header's data segment and volume key size with the declared ones. A header that
 * differs gets a REFUSE step. Needs no key.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_cipher(struct volume_plan *plan,
							      struct mortise_error *err);

/* Why the data cannot be where a format puts it, or NULL. */
const char *volume_find_misplacement(const struct volume_plan *plan,
				     const struct luks2_segment *segment);

/* Finds a key that opens the volume, or adds a step that says why no key does. */
MORTISE_MUST_CHECK enum mortise_code
volume_find_key(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/*
 * Requests the passphrase of declared key i from its source, unless an earlier request makes this
 * useless. Stores the result in plan->attempts[i] and returns its code.
 */
enum mortise_code volume_request_key(struct volume_run *run, struct volume_plan *plan, size_t i);
/*
 * The same, and tries the key on its keyslot, once for each state of the header. If the machine's
 * UUID does not give a key that opens, tries the one in META where run has it.
 */
enum mortise_code volume_try_key(struct volume_run *run, struct volume_plan *plan, size_t i);

/* Bit n: keyslot n is declared. */
uint32_t volume_declared_slots(const struct config_volume *volume);
/* The PCRs of a tpm key. Bit n: PCR n. */
uint32_t volume_key_pcrs(const struct config_key *key);

/*
 * Gets the passphrase of a declared key whose keyslot is in metadata. MORTISE_E_WAIT: the key is
 * locked to STATE, whose salt is not available yet. MORTISE_E_NO_TOKEN: its token is missing or of
 * another kind. Other errors come from keys/sources/.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_key_get(struct volume_run *run, const struct config_volume *volume,
	       const struct config_key *key, struct json_object *metadata,
	       struct mortise_secret **out, struct mortise_error *err);

/* The same with the UUID in META instead of the machine's (run->meta_uuid, not NULL). */
MORTISE_MUST_CHECK enum mortise_code
volume_key_get_by_meta(struct volume_run *run, const struct config_volume *volume,
		       const struct config_key *key, struct json_object *metadata,
		       struct mortise_secret **out, struct mortise_error *err);

/*
 * Checks whether volume_key_new can make the key, without contacting a KMS or TPM. MORTISE_E_WAIT:
 * the key is locked to STATE, whose salt is not available yet.
 */
MORTISE_MUST_CHECK enum mortise_code volume_key_check(const struct volume_run *run,
						      const struct config_volume *volume,
						      const struct config_key *key,
						      struct mortise_error *err);

/* Reads the salt of STATE. MORTISE_E_WAIT: STATE is not mounted. */
MORTISE_MUST_CHECK enum mortise_code volume_state_salt(const struct volume_run *run,
						       uint8_t salt[static KEYS_STATE_SALT_SIZE],
						       struct mortise_error *err);

/* Makes the passphrase and the token for a new keyslot of a declared key. */
MORTISE_MUST_CHECK enum mortise_code
volume_key_new(struct volume_run *run, const struct config_volume *volume,
	       const struct config_key *key, struct volume_key *made, struct mortise_error *err);

struct volume_fingerprint_keys {
	const struct config_volume *volume;
	const struct mortise_secret *passphrase; /* may be NULL for kms */
	const struct mortise_secret *volume_key;
};

/*
 * Computes the fingerprint of a declared key's keyslot. For kms, it covers the server, the token
 * and the salt instead of the passphrase, which would cost a call to the KMS at each boot. For
 * static, it covers the salt of STATE, too: the volume key alone must not make it possible to test
 * guesses of a passphrase at the speed of a hash. MORTISE_E_WAIT: STATE's salt is not available.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_key_fingerprint(const struct volume_run *run, const struct config_key *key,
		       struct json_object *metadata, const struct volume_fingerprint_keys *keys,
		       uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
		       struct mortise_error *err);

/*
 * Opens a keyslot with passphrase or, if that fails, with its first line (*by_first_line), which is
 * all that old versions of Talos used. The header keeps the volume key.
 */
MORTISE_MUST_CHECK enum mortise_code volume_try_keyslot(struct mortise_luks2 *header, int keyslot,
							const struct mortise_secret *passphrase,
							bool *by_first_line,
							struct mortise_error *err);

/* The mount point of a volume, including the root of this run; "": the volume is not mounted. */
void volume_mount_path(const struct volume_run *run, const struct config_volume *volume,
		       char path[static VOLUME_PATH_MAX]);

/*
 * The command "mortise reset ..." for this device. It includes --device where the name alone could
 * select another device.
 */
#define VOLUME_RESET_COMMAND (2 * MORTISE_NAME_MAX + VOLUME_PATH_MAX + 32)
void volume_reset_command(const struct volume_run *run, const struct config_volume *volume,
			  const char *device, char command[static VOLUME_RESET_COMMAND]);

/* "luks2-" and the volume's id. */
void volume_mapping_name(const struct config_volume *volume,
			 char name[static MORTISE_NAME_MAX + 1]);

/* Facts about an open volume that only the run that opened it knows. */
struct volume_opening {
	int keyslot;			/* the one that opened the volume, or -1 */
	uint32_t recovery_keyslots;	/* bit n: a recovery token marks keyslot n */
	char *failed_syncs;		/* one sentence on each line; may be NULL */
	char *notices;			/* one sentence on each line; may be NULL */
	unsigned mount_id;		/* of the mount, see base/mountinfo.h; 0: none */
};

void volume_opening_clear(struct volume_opening *opening);
/* Appends a sentence to failed_syncs or notices. Drops it if memory is short. */
void volume_opening_add(char **text, const char *sentence);

/* How far a volume has come. */
struct volume_result {
	enum mortise_phase phase;
	struct volume_opening opening;
	char text[128];			/* "formatted", "opened" */
	struct mortise_error why;	/* why the volume is not ready */
};

/*
 * Executes the steps in order, except that steps that remove keys come last. Stops at the first
 * step that fails, unless it is a key step, and between two steps when canceled (result->why). Call
 * volume_make_keys first.
 */
void volume_carry_out(struct volume_run *run, struct volume_plan *plan,
		      struct volume_result *result);

/*
 * Updates META and, with run->store, stores the configuration in STATE. Call it once STATE is
 * mounted and a declared key is known to open it, and before any keyslot is removed: the next boot
 * uses the keys in META.
 */
MORTISE_MUST_CHECK enum mortise_code store_state_config(const struct volume_run *run,
							const struct volume_plan *plan,
							struct mortise_error *err);

#endif
