/* SPDX-License-Identifier: MIT */
/*
 * Continuing the reencryption of volumes that are in use. The lock of a run is not held meanwhile: up,
 * apply and status go on. One lock for each volume keeps a second process away. A process that closes
 * the volume asks this one to stop by a record lock on the same file, which ends with that process.
 */
#include "declared/continue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "base/run_dir.h"
#include "declared/handover.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "declared/up.h"

#define STATUS_MS 300u /* a status holds the lock for a moment only */

/* --- the locks --- */

static void get_path(const struct config_volume *volume, char path[static VOLUME_PATH_MAX])
{
	snprintf(path, VOLUME_PATH_MAX, RUN_DIR "/%s.continue", volume->id);
}

static int open_lock(const struct config_volume *volume, int flags)
{
	char path[VOLUME_PATH_MAX];

	get_path(volume, path);
	return open(path, O_RDWR | O_CLOEXEC | flags, 0600);
}

void volume_continue_later(const struct volume_plan *plan)
{
	const int fd = open_lock(plan->volume, O_CREAT);

	if (fd >= 0)
		close(fd);
	volume_handover_keep(plan);
}

void volume_continue_forget(const struct config_volume *volume)
{
	char path[VOLUME_PATH_MAX];

	get_path(volume, path);
	(void)unlink(path);
	volume_handover_forget(volume);
}

void volume_continue_forget_closed(const struct volume_plan *plan)
{
	struct mortise_error ignored;

	if (plan->volume->encrypted &&
	    mortise_is_active(plan->mapping, &ignored) == MORTISE_E_INACTIVE)
		volume_continue_forget(plan->volume);
}

enum mortise_code volume_continue_stop(const struct config_volume *volume,
				       const struct mortise_events *events, int *fd,
				       struct mortise_error *err)
{
	struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	*fd = open_lock(volume, 0);
	if (*fd < 0)
		return MORTISE_OK;
	/* It fails if another process asks already. */
	(void)fcntl(*fd, F_OFD_SETLK, &request);
	return events_lock(events, *fd, LOCK_EX, UINT64_MAX, volume->name, err);
}

static bool is_asked_to_stop(int fd)
{
	struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(fd, F_OFD_GETLK, &request) && request.l_type != F_UNLCK;
}

bool volume_continue_runs(const struct config_volume *volume)
{
	const int fd = open_lock(volume, 0);
	const bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return runs;
}

/* --- one volume --- */

struct work {
	const struct mortise_config *config;
	const struct mortise_up_options *options;
	uint64_t rate;
	struct volume_entry *entry;
	int lock;
	bool canceled; /* by the caller, not by a process that closes the volume */
};

/* Adds the name of the volume to an event. Called between two zones. */
static bool forward(void *context, const struct mortise_event *event)
{
	struct work *work = context;
	const struct mortise_events *events = work->options->events;
	struct mortise_event named = *event;

	named.volume = work->entry->volume->name;
	work->canceled |= events && events->call && !events->call(events->context, &named);
	return !work->canceled && !is_asked_to_stop(work->lock);
}

static enum mortise_code send_step(const struct work *work, const struct volume_plan *plan,
				   enum mortise_event_type type, const struct mortise_error *error)
{
	const struct mortise_events *events = work->options->events;
	const struct mortise_step step = {
		.kind = MORTISE_STEP_REENCRYPT,
		.volume = plan->volume->name,
		.device = plan->device,
		.keyslot = -1,
		.text = "re-encrypt it while it is in use",
	};
	const struct mortise_event event = {
		.type = type,
		.volume = step.volume,
		.text = step.text,
		.step = &step,
		.error = error,
		.device = step.device,
	};

	return !events || !events->call || events->call(events->context, &event)
		       ? MORTISE_OK
		       : MORTISE_E_CANCELED;
}

/*
 * Checks the volume as up does, and takes its keys: those that up has kept or, without them, declared
 * ones. Under the lock of a run.
 */
static enum mortise_code prepare(struct work *work, struct volume_run *run,
				 struct volume_plan *plan, struct mortise_error *err)
{
	enum mortise_code code;

	work->lock = open_lock(plan->volume, O_CREAT);
	if (work->lock < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create a file in " RUN_DIR);
	code = events_lock(work->options->events, work->lock, LOCK_EX, STATUS_MS,
			   plan->volume->name, err);
	if (code == MORTISE_E_BUSY)
		return error_set(err, MORTISE_E_BUSY, 0, "another process re-encrypts it");
	if (code)
		return code;
	code = volume_unlock(run, plan, err);
	/* The file was created again. */
	volume_continue_forget_closed(plan);
	/* The reencryption may have ended, or the volume been closed, meanwhile. */
	if (code || !volume_in_reencryption(plan) || !plan->active)
		return code;
	code = volume_know_keys(plan, err);
	return code ? code : volume_record_next(run, plan, err);
}

static enum mortise_code convert(struct work *work, struct volume_plan *plan,
				 struct mortise_error *err)
{
	const struct mortise_events events = { .call = forward, .context = work };
	const struct mortise_reencrypt_run how = {
		.struct_size = sizeof(how),
		.keyslot = MORTISE_ANY,
		.events = &events,
		.active_name = plan->mapping,
		.rate = work->rate ? work->rate : plan->volume->limit_rate,
	};
	enum mortise_code code;

	if (send_step(work, plan, MORTISE_EVENT_STEP_BEGIN, NULL))
		return events_cancel_error(err);
	code = mortise_reencrypt_continue(plan->header, NULL, &how, err);
	if (code == MORTISE_E_CANCELED && !work->canceled)
		code = error_set(err, MORTISE_E_WAIT, 0,
				 "stopped, because the volume is being closed");
	(void)send_step(work, plan, MORTISE_EVENT_STEP_END, code ? err : NULL);
	return code;
}

static enum mortise_code continue_plan(struct work *work, const struct mortise_up_options *options,
				       struct volume_plan *plan, struct mortise_error *err)
{
	struct volume_run run;
	int lock = -1;
	enum mortise_code code = volume_run_lock(options->events, &lock, err);

	if (!code) {
		code = volume_run_init(&run, work->config, options, err);
		if (!code)
			code = prepare(work, &run, plan, err);
		volume_plan_attach(plan, NULL);
		volume_run_clear(&run);
		close(lock);
	}
	if (code || !volume_in_reencryption(plan))
		return code;
	if (!plan->active)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "the volume was closed; the next `mortise up` continues");
	code = convert(work, plan, err);
	if (!code)
		volume_continue_forget(plan->volume);
	return code;
}

static enum mortise_code continue_volume(struct work *work, struct mortise_error *err)
{
	const char *name = work->entry->volume->id;
	struct mortise_up_options options = *work->options, wanted;
	struct mortise_plan *plan = NULL;
	enum mortise_code code = run_dir_make(err);

	options.names = &name;
	options.name_count = 1;
	if (!code)
		code = volume_plans_begin(work->config, &options, &wanted, &plan, err);
	if (code)
		return code;
	code = continue_plan(work, &wanted, plan->volumes[0], err);
	mortise_plan_free(&plan);
	if (work->lock >= 0)
		close(work->lock);
	work->lock = -1;
	return code;
}

/* --- all volumes --- */

/* Is the volume open, and is its reencryption to be continued? */
static bool is_unfinished(const struct volume_entry *entry)
{
	return *entry->mapping && entry->facts.reencrypt_total;
}

/*
 * Waits for an up that may be opening volumes, and removes files of volumes that need no work. A header
 * that a process is writing may be unreadable.
 */
static enum mortise_code examine(const struct mortise_config *config,
				 const struct mortise_up_options *options,
				 struct mortise_report **report, struct mortise_error *err)
{
	int lock = -1;
	enum mortise_code code = volume_run_lock(options->events, &lock, err);

	if (code)
		return code;
	code = mortise_status(config, options, report, err);
	for (size_t i = 0; !code && i < (*report)->count; i++)
		if (!is_unfinished(&(*report)->entries[i]) &&
		    !volume_continue_runs((*report)->entries[i].volume))
			volume_continue_forget((*report)->entries[i].volume);
	close(lock);
	return code;
}

static void set_result(struct volume_entry *entry, enum mortise_code code,
		       const struct mortise_error *why)
{
	entry->phase = !code ? MORTISE_PHASE_READY
		       : code == MORTISE_E_WAIT || code == MORTISE_E_CANCELED
			       ? MORTISE_PHASE_WAITING
			       : MORTISE_PHASE_FAILED;
	snprintf(entry->error, sizeof(entry->error), "%s", code ? why->text : "");
	snprintf(entry->text, sizeof(entry->text), "%s",
		 code ? "not re-encrypted" : "re-encrypted");
}

static enum mortise_code record_named(const struct work *work,
				      const struct mortise_up_options *options,
				      struct mortise_error *err)
{
	/* A process that waited for the end may have closed a volume. */
	const struct volume_up up = { .config = work->config,
				      .options = options,
				      .active_only = true };
	struct mortise_report *ignored = NULL;
	struct mortise_plan *plan = NULL;
	enum mortise_code code = volume_plans_new(work->config, options, &plan, err);

	if (!code)
		code = volume_up(&up, plan, &ignored, err);
	mortise_report_free(&ignored);
	mortise_plan_free(&plan);
	return code;
}

/*
 * Records what the volumes are now. If STATE has another key, tpm keys of other open volumes depend on
 * it.
 */
static enum mortise_code record(const struct work *work, const struct mortise_report *report,
				struct mortise_error *err)
{
	struct mortise_up_options options = *work->options;
	const char **names = calloc(report->count + 1, sizeof(*names));
	struct mortise_report *now = NULL;
	enum mortise_code code = MORTISE_OK;
	bool state = false;
	size_t count = 0;

	if (!names)
		return error_memory(err);
	for (size_t i = 0; i < report->count; i++) {
		const struct volume_entry *entry = &report->entries[i];
		const bool done = *entry->text && entry->phase == MORTISE_PHASE_READY;

		state |= done && volume_is_state(entry->volume);
		if (done || (state && *entry->mapping))
			names[count++] = entry->volume->id;
	}
	options.names = names;
	options.name_count = count;
	options.extend_word = NULL;
	options.try_keys = options.provision = false;
	if (count)
		code = record_named(work, &options, err);
	/* An up that had made its plan before the end may have kept the keys after it. */
	if (!code && count)
		code = examine(work->config, work->options, &now, err);
	mortise_report_free(&now);
	free(names);
	return code;
}

/* Removes the volumes that needed no reencryption. */
static void drop_others(struct mortise_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		if (!*report->entries[i].text)
			volume_opening_clear(&report->entries[i].opening);
		else if (count++ != i)
			report->entries[count - 1] = report->entries[i];
	report->count = count;
}

enum mortise_code mortise_continue(const struct mortise_config *config,
				   const struct mortise_up_options *options, uint64_t rate,
				   struct mortise_report **report, struct mortise_error *err)
{
	struct mortise_up_options wanted;
	struct work work = { .config = config, .options = &wanted, .rate = rate, .lock = -1 };
	struct mortise_error why = { 0 };
	size_t failed = 0;
	enum mortise_code code;

	*report = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (!code)
		code = examine(config, &wanted, report, err);
	for (size_t i = 0; !code && i < (*report)->count; i++) {
		work.entry = &(*report)->entries[i];
		if (!is_unfinished(work.entry))
			continue;
		code = continue_volume(&work, &why);
		set_result(work.entry, code, &why);
		failed += code != MORTISE_OK;
		if (code == MORTISE_E_CANCELED)
			*err = why;
		else
			code = MORTISE_OK;
	}
	if (!code)
		code = record(&work, *report, err);
	if (*report)
		drop_others(*report);
	if (!code && failed)
		code = error_set(err, why.code, why.sys_errno,
				 "cannot re-encrypt %zu of %zu volumes", failed, (*report)->count);
	return code;
}
