/* SPDX-License-Identifier: MIT */
/*
 * The plan: for each volume its steps, the facts that they rest on, and the keys that they need.
 * Making it reads devices and derives keys and writes nothing. Executing it makes no decisions.
 */
#ifndef VOLUME_PLAN_H
#define VOLUME_PLAN_H

#include <stdatomic.h>

#include "keys/sources/sources.h"
#include "luks2/header.h"
#include "config/config.h"
#include "declared/budget.h"
#include "disk/probe.h"
#include "volume/record.h"
#include "volume/sealed.h"

#define VOLUME_PATH_MAX 256u

/* The context of one run, shared by the threads that work on its volumes. */
struct volume_run {
	const struct mortise_config *machine;
	const struct config *config;	/* its volumes */
	const struct mortise_up_options *options;
	struct mortise_events events;	/* options->events; sends one event at a time, except polls */
	pthread_mutex_t events_lock;
	atomic_bool canceled;
	struct volume_budget budget;	/* of memory for key derivations */
	struct mortise_key_sources sources; /* those of options, with META's UUID where it has one */
	char node_uuid[VOLUME_NODE_UUID_ROOM];
	bool open_only;			/* STATE as META describes it: nothing is created or changed */
	bool store;			/* store the configuration in STATE (mortise_apply) */
	bool keep_keys;			/* headers and volume keys stay in the plan, for the next run */
	bool state_may_come;		/* STATE is still to be mounted in this run */
	bool refused;			/* before the first write, by volume_plan_check_apply */
	struct mortise_error not_stored; /* STATE is ready, but META or the configuration could not be
					  * written */
	pthread_mutex_t cost_lock;
	struct mortise_kdf cost;	/* of new keyslots with the full cost, once measured */
	bool cost_known;
	pthread_mutex_t order_lock;
	pthread_cond_t order_changed;
	bool *unfinished;		/* by volume: it is being worked on, or will be */
};

struct volume_step {
	enum mortise_step_kind kind;
	int keyslot;			/* -1: none */
	const struct config_key *key;	/* of key steps that need one */
	struct volume_key made;		/* KEY_ADD, KEY_REPLACE: the new key, once made */
	struct mortise_error why;	/* likewise: the key could not be made */
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE]; /* KEY_RECORD */
	char notice[VOLUME_NOTICE_MAX];	/* for the report, once the step is done; "" for none */
	char text[MORTISE_ERROR_TEXT];
	struct mortise_step shown;	/* filled when a caller asks for it */
};

/* What is known of one declared key. It holds for one state of the header. */
struct key_attempt {
	bool asked;
	struct mortise_secret *passphrase; /* NULL: not available */
	bool tried;			/* on its keyslot: why.code is MORTISE_OK when it opens */
	bool cut;			/* it opens with the passphrase's first line */
	struct mortise_error why;	/* it is not available, or does not open its keyslot */
};

struct volume_plan {
	const struct config_volume *volume;
	bool planned;			/* false: the steps are still to be decided */
	bool waits;			/* for STATE, or for a KMS or TPM: planned again when executed */
	char device[VOLUME_PATH_MAX];	/* "" when not found */
	char mapping[MORTISE_NAME_MAX + 1]; /* "luks2-STATE" */
	char mount_point[VOLUME_PATH_MAX];  /* with the root in front; "" for none */
	struct disk_probe probe;
	bool active;			/* the mapping exists already */
	bool tableless_mapping;		/* a killed run left it without a table: OPEN removes it */
	bool mounted;			/* from this mapping or device, at mount_point */
	/* Read-only until a step writes. It owns the volume key, once known. */
	struct mortise_luks2 *header;
	struct key_attempt *attempts;	/* by declared key */
	int opened;			/* keyslot that opened the volume, -1 */
	bool recovered;			/* with a recovery key: dead keys are enrolled again */
	bool proven;			/* a declared key is known to open it */
	struct volume_step *steps;
	size_t step_count;
	bool failed;			/* a WAIT, REFUSE or FAIL step ends it */
	bool no_key;			/* a volume exists, and no declared key opens it */
	bool keys_replaced;		/* the key that opened it before may no longer be declared */
	char notice[1024];		/* for the report: it changed, and was planned again; "" */
};

struct mortise_plan {
	const struct mortise_config *config;
	struct volume_plan **volumes;	/* in the order of the configuration */
	size_t count;
	char **notes;			/* sentences, note_count of them */
	size_t note_count;
	bool waited;			/* for devices */
	bool executed;
};

/* Fills run for config. Ended by volume_run_clear, also when it fails. Do not move run. */
MORTISE_MUST_CHECK enum mortise_code volume_run_init(struct volume_run *run,
						     const struct mortise_config *config,
						     const struct mortise_up_options *options,
						     struct mortise_error *err);
void volume_run_clear(struct volume_run *run);

/* Does a key of these volumes need the UUID of the machine? */
bool volume_needs_node_uuid(const struct config *volumes);

/* Waits until every volume that is mounted above this one is finished. False: canceled. */
MORTISE_MUST_CHECK bool volume_run_wait_for_outer(struct volume_run *run,
						  const struct config_volume *volume);
void volume_run_set_unfinished(struct volume_run *run, const struct config_volume *volume,
			       bool unfinished);

/* Sends MORTISE_EVENT_NOTICE. */
void volume_run_notify(struct volume_run *run, const char *volume, const char *text);

/* A plan of the wanted volumes of config, with no steps yet. */
MORTISE_MUST_CHECK enum mortise_code volume_plans_new(const struct mortise_config *config,
						      const struct mortise_up_options *options,
						      struct mortise_plan **out,
						      struct mortise_error *err);

/* Wipes and frees header, keys and passphrases; the steps stay. */
void volume_plan_wipe(struct volume_plan *plan);
void volume_plan_free(struct volume_plan *plan);

/* Empties the plan of one volume in parts: for volume_plan_make. */
void volume_plan_forget_attempts(struct volume_plan *plan);
void volume_plan_forget_header(struct volume_plan *plan); /* with the attempts */
void volume_plan_clear_decisions(struct volume_plan *plan);

/* The volume key, NULL while it is not known. The header owns it. */
const struct mortise_secret *volume_plan_key(const struct volume_plan *plan);

/*
 * Moves STATE's header and volume key from a finished plan to a plan of the same volume under
 * another configuration.
 */
void volume_plan_continue(struct volume_plan *plan, struct volume_plan *finished);

/* Lets the header take memory and cancellation from run; NULL: from none. */
void volume_plan_attach(struct volume_plan *plan, struct volume_run *run);

/*
 * Decides on the steps of one volume. Failures of the volume are steps; the call fails with
 * MORTISE_E_MEMORY and MORTISE_E_CANCELED only. To plan again, call it again: keys that are known
 * from the same header are neither derived nor asked for again.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_make(struct volume_run *run,
						      struct volume_plan *plan,
						      struct mortise_error *err);

/*
 * Compares the volume with its plan: device, contents, header, and mapping. False: it has changed,
 * and what says how.
 */
bool volume_plan_is_current(const struct volume_run *run, const struct volume_plan *plan,
			    const char **what);

/*
 * Plans the volumes that have changed since they were planned again, and reports each. A volume
 * that would now be formatted, which its plan did not say, fails.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plans_refresh(struct volume_run *run,
							  struct mortise_plan *plans,
							  struct mortise_error *err);

/* Plans a volume again that waited for STATE or a source, and reports its steps. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_second_stage(struct volume_run *run,
							      struct volume_plan *plan,
							      struct mortise_error *err);

/*
 * Makes the keys of KEY_ADD and KEY_REPLACE steps: a KMS or TPM seals each once. A key that cannot
 * be made has step->why. When a format has no key at all, unreachable sources are asked again as
 * long as the options allow. Fails with MORTISE_E_CANCELED only.
 */
MORTISE_MUST_CHECK enum mortise_code volume_make_keys(struct volume_run *run,
						      struct volume_plan *plan,
						      struct mortise_error *err);
/* The plan formats, and its keys are made. Returns NULL, or why none could be made. */
const struct mortise_error *volume_format_lacks_key(const struct volume_plan *plan);

/*
 * Why a configuration must not be stored: STATE would not open, or a volume would lose its last
 * key. MORTISE_E_NOT_EMPTY.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plans_check_apply(const struct mortise_plan *plans,
							      bool staged,
							      struct mortise_error *err);
/* The same for one volume. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_apply(const struct volume_plan *plan,
							     bool staged,
							     struct mortise_error *err);

/* Appends a step; NULL when memory is short. */
__attribute__((format(printf, 4, 5))) struct volume_step *
volume_plan_add(struct volume_plan *plan, enum mortise_step_kind kind, int keyslot,
		const char *format, ...);

/* The same as a code, for steps that nothing else is to be put into. */
#define VOLUME_PLAN_ADD(plan, err, ...)                                                         \
	(volume_plan_add(plan, __VA_ARGS__) ? MORTISE_OK                                         \
					    : error_memory(err))

/*
 * Adds a KEY_ADD step or, with a reason to replace the keyslot ("": the declaration has changed), a
 * KEY_REPLACE step. The key is made when the plan is executed. *why: it could not be made, as far
 * as can be told without asking its source, and there is no step; its code is MORTISE_OK when there
 * is one.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_new_key(struct volume_run *run, struct volume_plan *plan, const struct config_key *key,
		    const char *reason, struct mortise_error *why, struct mortise_error *err);

/* Step as the public header shows it. */
void volume_plan_show(const struct volume_plan *plan, size_t i, struct mortise_step *step);

/* Adds the steps that bring the keyslots to what is declared; the volume key is known. */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_keys(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/* Finds the key that opens the volume, or adds the step that says why no key does. */
MORTISE_MUST_CHECK enum mortise_code
volume_find_key(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/*
 * Asks for the passphrase of declared key i, unless that was done already and another try would
 * not help. The outcome is in plan->attempts[i], and its code is returned.
 */
enum mortise_code volume_ask(struct volume_run *run, struct volume_plan *plan, size_t i);
/* The same, and tries it on its keyslot, once for each state of the header. */
enum mortise_code volume_try_key(struct volume_run *run, struct volume_plan *plan, size_t i);

/* Trying a busy KMS or TPM again, as long as the options allow. */
struct volume_patience {
	uint64_t end_ms;
	unsigned attempt;
};

void volume_patience_begin(struct volume_patience *patience, const struct volume_run *run);
/* Pauses before the next try. False: time is up, or the run is canceled. */
bool volume_patience_pause(struct volume_patience *patience, const struct volume_run *run);

/* Bit n: keyslot n is declared. */
uint32_t volume_declared_slots(const struct config_volume *volume);
/* The PCRs of a tpm key, bit n: PCR n. */
uint32_t volume_key_pcrs(const struct config_key *key);

/*
 * The passphrase of a declared key whose keyslot is in metadata. MORTISE_E_WAIT: locked to
 * STATE, whose salt is not there yet; MORTISE_E_NO_TOKEN: its token is not there, or not of
 * its kind; else the errors of keys/sources/.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_key_get(const struct volume_run *run, const struct config_volume *volume,
	       const struct config_key *key, struct json_object *metadata,
	       struct mortise_secret **out, struct mortise_error *err);

/*
 * Whether volume_key_new can make the key, as far as can be told without asking a KMS or TPM.
 * MORTISE_E_WAIT: locked to STATE, whose salt is not available yet.
 */
MORTISE_MUST_CHECK enum mortise_code volume_key_check(const struct volume_run *run,
						      const struct config_volume *volume,
						      const struct config_key *key,
						      struct mortise_error *err);

/* Makes the passphrase, and the token, for a new keyslot of a declared key. */
MORTISE_MUST_CHECK enum mortise_code
volume_key_new(const struct volume_run *run, const struct config_volume *volume,
	       const struct config_key *key, struct volume_key *made, struct mortise_error *err);

/*
 * The fingerprint of a declared key's keyslot. passphrase is not looked at for kind kms: its
 * server, token and salt say as much, and asking would cost a call at every boot.
 */
struct volume_fingerprint_keys {
	const struct mortise_secret *passphrase;
	const struct mortise_secret *volume_key;
};

MORTISE_MUST_CHECK enum mortise_code
volume_key_fingerprint(const struct volume_run *run, const struct config_key *key,
		       struct json_object *metadata, const struct volume_fingerprint_keys *keys,
		       uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
		       struct mortise_error *err);

/*
 * Opens a keyslot with passphrase, or with its first line (*cut), which is all that old versions of
 * Talos used. The header keeps the volume key.
 */
MORTISE_MUST_CHECK enum mortise_code volume_try_keyslot(struct mortise_luks2 *header, int keyslot,
							const struct mortise_secret *passphrase,
							bool *cut, struct mortise_error *err);

/* Where a volume is mounted under the root of this run; "" when it is not to be. */
void volume_mount_path(const struct volume_run *run, const struct config_volume *volume,
		       char path[static VOLUME_PATH_MAX]);

/*
 * "mortise reset ..." that wipes device and no other: without --device a label decides, and
 * another volume may have the name.
 */
#define VOLUME_RESET_COMMAND (2 * MORTISE_NAME_MAX + VOLUME_PATH_MAX + 32)
void volume_reset_command(const struct volume_run *run, const struct config_volume *volume,
			  const char *device, char command[static VOLUME_RESET_COMMAND]);

/* "luks2-" and the volume's id. */
void volume_mapping_name(const struct config_volume *volume, char name[static MORTISE_NAME_MAX + 1]);

/* What is known of an open volume only from its opening. */
struct volume_opening {
	int keyslot;			/* that opened it, -1 unknown */
	uint32_t recovery_keyslots;	/* bit n: a recovery token marks keyslot n */
	char *failed_syncs;		/* a sentence a line; NULL for none */
	char *notices;			/* likewise */
};

void volume_opening_clear(struct volume_opening *opening);
/* Another sentence of failed_syncs or notices; without memory it is lost, and nothing else. */
void volume_opening_add(char **text, const char *sentence);

/* How far a volume has come. */
struct volume_result {
	enum mortise_phase phase;
	struct volume_opening opening;
	char text[128];			/* "formatted", "opened" */
	struct mortise_error why;	/* it is not ready */
};

/*
 * Executes one step after another, those that remove keys last. Stops at the first that fails,
 * except for key steps, and between two steps when canceled (result->why). The keys are made.
 */
void volume_carry_out(struct volume_run *run, struct volume_plan *plan,
		      struct volume_result *result);

/*
 * STATE is mounted, and a declared key opens it: updates META and, with run->store, stores the
 * configuration in STATE. Until then no keyslot is removed, because the next boot uses the keys in
 * META.
 */
MORTISE_MUST_CHECK enum mortise_code store_state_config(const struct volume_run *run,
							const struct volume_plan *plan,
							struct mortise_error *err);

#endif
