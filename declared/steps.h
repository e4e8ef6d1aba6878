/* SPDX-License-Identifier: MIT */
/* Executing one step of a plan. */
#ifndef VOLUME_STEPS_H
#define VOLUME_STEPS_H

#include "declared/plan.h"

/* The state that the steps of one volume share. */
struct volume_work {
	struct volume_run *run;
	struct volume_plan *plan;
	struct volume_result *result;
	bool fresh; /* this run created the file system */
};

/* Chooses the KDF cost of a keyslot for key. The full cost is measured once in a run. */
MORTISE_MUST_CHECK enum mortise_code volume_choose_cost(struct volume_work *work,
							const struct config_key *key,
							struct mortise_kdf *kdf,
							struct mortise_error *err);

/* The size of a header copy with room for the keys that were made, and for others. */
uint64_t volume_metadata_size(const struct volume_plan *plan);

/* Loads the header for writing, if it is still the one that the plan was made for. */
MORTISE_MUST_CHECK enum mortise_code volume_reload_header(struct volume_plan *plan,
							  struct mortise_error *err);

/*
 * Plans one volume, whether it is open or not, so that its header knows the volume key, and loads it for
 * writing. MORTISE_E_KEY, MORTISE_E_POLICY: a run would not use it. Call volume_plan_attach(plan, NULL)
 * before the end of the run.
 */
MORTISE_MUST_CHECK enum mortise_code volume_unlock(struct volume_run *run,
						   struct volume_plan *plan,
						   struct mortise_error *err);

/* Writes the area of a new keyslot, and puts the keyslot, its token and record into the update. */
MORTISE_MUST_CHECK enum mortise_code volume_stage_key(struct volume_work *work,
						      struct luks2_update *update,
						      const struct volume_step *step,
						      const struct mortise_secret *volume_key,
						      struct mortise_error *err);

/*
 * Before the first write of a new header: fails if the kernel could not open the volume, and measures
 * the cost of keyslots.
 */
MORTISE_MUST_CHECK enum mortise_code volume_prepare_header(struct volume_work *work,
							   struct mortise_error *err);

/*
 * Opens the device and locks it: udev and Talos do not touch a block device while another process
 * holds this lock. On a file, this would be the metadata lock, which writing the header takes.
 */
MORTISE_MUST_CHECK enum mortise_code volume_lock_device(struct volume_work *work, int *fd,
							struct mortise_error *err);

/*
 * Stages all available keys in the new header plan->header, seals it, and commits it as finished;
 * unless in_place, with the mark for mkfs.
 */
MORTISE_MUST_CHECK enum mortise_code volume_write_first_keys(struct volume_work *work,
							     bool in_place,
							     struct mortise_error *err);

/* Executes a KEY_ADD, KEY_REPLACE, KEY_REMOVE or KEY_RECORD step. */
MORTISE_MUST_CHECK enum mortise_code volume_do_key_step(struct volume_work *work,
							const struct volume_step *step,
							struct mortise_error *err);

/* Executes step i. Before its first write, compares the device with the plan again. */
MORTISE_MUST_CHECK enum mortise_code volume_do_step(struct volume_work *work, size_t i,
						    struct mortise_error *err);

#endif
