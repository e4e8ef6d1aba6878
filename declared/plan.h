/* SPDX-License-Identifier: MIT */
/*
 * The plan: what is there, what is declared, and the steps between them, as data. Making it
 * reads and derives keys but writes nothing; carrying it out decides nothing again.
 */
#ifndef VOLUME_PLAN_H
#define VOLUME_PLAN_H

#include "keys/sources/sources.h"
#include "luks2/header.h"
#include "config/config.h"
#include "declared/budget.h"
#include "disk/probe.h"
#include "volume/record.h"
#include "volume/sealed.h"

#define VOLUME_PATH_MAX 256u

/* A volume key that was found a moment ago, so that nothing is derived twice. */
struct volume_known {
	char header[40];		/* the UUID of its header */
	uint64_t seqid;			/* as it was then: another has changed keyslots since */
	struct mortise_secret *volume_key; /* NULL: nothing is known */
	int keyslot;			/* that opened it */
	bool cut;			/* with what stands before the passphrase's first newline */
	bool declared;			/* by the key that is still declared for this keyslot */
	bool recovered;			/* by a recovery key */
};

struct volume_up;

/* What one run knows beside the configuration. Volumes may be worked on side by side. */
struct volume_run {
	const struct config *config;
	const struct mortise_up_options *options;
	struct volume_budget *budget;	/* of memory for key derivations */
	const struct mortise_watch *watch;
	struct mortise_key_sources sources; /* those of options, with META's UUID where it has one */
	char node_uuid[VOLUME_NODE_UUID_ROOM];
	bool open_only;			/* for what META says of STATE: nothing is made or changed */
	const struct volume_known *state; /* STATE's key from before this run, or NULL */
	struct volume_known *learn;	/* receives STATE's key, or NULL */
	const struct volume_up *up;	/* NULL while nothing is carried out */
	struct mortise_error unsettled;	/* STATE is ready, and could not be settled */
	pthread_mutex_t watch_lock;	/* it is told of one thing at a time */
	pthread_mutex_t cost_lock;
	struct mortise_kdf cost;	/* of new keyslots with the full cost, once measured */
	bool cost_known;
	bool state_may_come;		/* STATE is still to be brought up in this run */
	pthread_mutex_t order_lock;
	pthread_cond_t order_changed;
	bool *unfinished;		/* by volume: it is still being worked on, or will be */
};

struct volume_step {
	enum mortise_step_kind kind;
	int keyslot;			/* -1: none */
	const struct config_key *key;	/* of key steps that need one */
	struct volume_key made;		/* KEY_ADD, KEY_REPLACE: what goes into the keyslot */
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE]; /* KEY_RECORD */
	char notice[VOLUME_NOTICE_MAX];	/* for the report, once it is done; "" for none */
	char text[MORTISE_ERROR_TEXT];
};

/* What came of asking for one declared key. */
struct key_attempt {
	bool asked;
	struct mortise_secret *passphrase; /* NULL: it could not be had */
	struct mortise_error why;	/* it could not, or does not open its keyslot */
};

struct volume_plan {
	const struct config_volume *volume;
	char device[VOLUME_PATH_MAX];	/* "" when not found */
	char mapping[MORTISE_NAME_MAX + 1]; /* "luks2-STATE" */
	char mount_point[VOLUME_PATH_MAX];  /* with the root in front; "" for none */
	struct disk_probe probe;
	bool active;			/* the mapping is there already */
	bool tableless_mapping;			/* a killed run left it without a table: OPEN removes it */
	bool mounted;			/* ours, where it belongs */
	struct mortise_luks2 *header;	/* read-only; knows the volume key once a key opened */
	struct mortise_secret *volume_key;
	struct key_attempt *asked;	/* by declared key */
	int opened;			/* keyslot that opened the volume, -1 */
	bool opened_by_declared_key;		/* by the key that is declared for it */
	bool proven;			/* a declared key is known to open it */
	bool opened_by_first_line;		/* with what stands before the passphrase's first newline */
	bool recovered;			/* a recovery key did it: dead keys are enrolled again */
	struct volume_step *steps;
	size_t step_count;
	bool failed;			/* a WAIT, REFUSE or FAIL step ends it */
	bool no_key;			/* there is a volume, and no declared key opens it */
	bool keys_replaced;		/* what opened it before may be declared no more */
};

/* volumes: those of the configuration. Ended by volume_run_clear, also when it fails. */
MORTISE_MUST_CHECK enum mortise_code volume_run_init(struct volume_run *run,
						     const struct config *volumes,
						     const struct mortise_up_options *options,
						     struct volume_budget *budget,
						     struct mortise_error *err);
void volume_run_clear(struct volume_run *run);

/* Does a key of theirs ask for the UUID of the machine? */
bool volume_needs_node_uuid(const struct config *volumes);

/* Waits until every volume that is mounted above this one has been worked on. */
void volume_run_wait_for_outer(struct volume_run *run, const struct config_volume *volume);
/* A volume is to be worked on, or has been. */
void volume_run_set_unfinished(struct volume_run *run, const struct config_volume *volume,
			       bool unfinished);

/* Decides for one volume. Failures of the volume are steps; only memory fails the call. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_make(struct volume_run *run,
						      const struct config_volume *volume,
						      struct volume_plan **out,
						      struct mortise_error *err);
void volume_plan_free(struct volume_plan *plan);

/* Appends a step; NULL when memory is short. */
__attribute__((format(printf, 4, 5))) struct volume_step *
volume_plan_add(struct volume_plan *plan, enum mortise_step_kind kind, int keyslot,
		const char *format, ...);

/* The same as a code, for steps that nothing else is to be put into. */
#define VOLUME_PLAN_ADD(plan, err, ...)                                                         \
	(volume_plan_add(plan, __VA_ARGS__) ? MORTISE_OK                                         \
					    : error_memory(err))

/*
 * A KEY_ADD or KEY_REPLACE step for a key that is made now. *why: it could not be had, and there
 * is no step; its code is MORTISE_OK when there is one.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_new_key(struct volume_run *run, struct volume_plan *plan, const struct config_key *key,
		    enum mortise_step_kind kind, struct mortise_error *why,
		    struct mortise_error *err);

/* Step as the public header shows it. */
void volume_plan_show(const struct volume_plan *plan, size_t i, struct mortise_step *step);

/* Adds the steps that bring the keyslots to what is declared; the volume key is known. */
MORTISE_MUST_CHECK enum mortise_code
volume_plan_keys(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/* Finds the key that opens the volume, or adds the step that says why there is none. */
MORTISE_MUST_CHECK enum mortise_code
volume_find_key(struct volume_run *run, struct volume_plan *plan, struct mortise_error *err);

/* Takes over what plan knows; MORTISE_OK also when it knows no key. */
MORTISE_MUST_CHECK enum mortise_code volume_known_set(struct volume_known *known,
						      const struct volume_plan *plan,
						      struct mortise_error *err);
void volume_known_clear(struct volume_known *known);
/* Opens the volume with a key that is known from a moment ago. False: none is. */
bool volume_use_known(const struct volume_run *run, struct volume_plan *plan);

/*
 * Asks for declared key i, unless that was done already and another try would not help. The
 * outcome is in plan->asked[i], and its code is returned.
 */
enum mortise_code volume_ask(struct volume_run *run, struct volume_plan *plan, size_t i);

/* Trying again what a KMS or TPM was too busy for, as long as the options say. */
struct volume_patience {
	uint64_t end_ms;
	unsigned attempt;
};

void volume_patience_begin(struct volume_patience *patience, const struct volume_run *run);
/* Pauses before the next try. False: time is up. */
bool volume_patience_pause(struct volume_patience *patience);

/* Bit n: keyslot n is declared. */
uint32_t volume_declared_slots(const struct config_volume *volume);
/* The PCRs of a tpm key, bit n: PCR n. */
uint32_t volume_key_pcrs(const struct config_key *key);

/*
 * The passphrase of a declared key whose keyslot is in metadata. MORTISE_E_WAIT: locked to
 * STATE, whose salt is not there yet; MORTISE_E_NO_TOKEN: its token is not there, or not of
 * its kind; else the errors of keys/kinds/.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_key_get(const struct volume_run *run, const struct config_volume *volume,
	       const struct config_key *key, struct json_object *metadata,
	       struct mortise_secret **out, struct mortise_error *err);

/* What goes into the keyslot of a declared key that is to be made. */
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

/* Opens a keyslot with passphrase, or with what old Talos cut at its first newline. */
MORTISE_MUST_CHECK enum mortise_code volume_try_keyslot(struct mortise_luks2 *header, int keyslot,
							const struct mortise_secret *passphrase,
							struct mortise_secret **volume_key,
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

/* Carries out one step after another. Stops at the first that fails, but for key steps. */
struct volume_result {
	enum mortise_phase phase;
	struct volume_opening opening;
	char text[128];			/* "formatted", "opened" */
	struct mortise_error why;	/* it is not ready */
};

void volume_carry_out(struct volume_run *run, struct volume_plan *plan,
		      struct volume_result *result);

/*
 * STATE is mounted, and a declared key opens it: from now on META says so, and where it is to be
 * stored the configuration lies in STATE. Until then no keyslot is taken away, since the next
 * boot goes by what META says.
 */
MORTISE_MUST_CHECK enum mortise_code store_state_config(const struct volume_run *run,
							const struct volume_plan *plan,
							struct mortise_error *err);

#endif
