/* SPDX-License-Identifier: MIT */
/* Planning and executing the resets that were ordered for this run. */
#include "declared/reset/ordered.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/reset/reset.h"
#include "disk/users.h"

/* The volumes of a run are processed in parallel. */
static pthread_mutex_t orders_lock = PTHREAD_MUTEX_INITIALIZER;

const struct reset_order *reset_find_ordered(const struct reset_orders *orders,
					     const struct config_volume *volume)
{
	for (size_t i = 0; i < orders->count; i++)
		if (volume_is_called(volume, orders->order[i].id))
			return &orders->order[i];
	return NULL;
}

/* False: the volume has no order. */
static bool copy_order(const struct volume_run *run, const struct config_volume *volume,
		       struct reset_order *order)
{
	const struct reset_order *found;

	pthread_mutex_lock(&orders_lock);
	found = reset_find_ordered(&run->known.orders, volume);
	if (found)
		*order = *found;
	pthread_mutex_unlock(&orders_lock);
	return found;
}

static enum mortise_code drop_order(struct volume_run *run, const struct reset_order *order,
				    struct mortise_error *err)
{
	enum mortise_code code;

	pthread_mutex_lock(&orders_lock);
	reset_orders_remove(&run->known.orders, order->id);
	code = reset_orders_store(&run->known.orders, err);
	pthread_mutex_unlock(&orders_lock);
	return code;
}

static bool is_in_use(const char *path)
{
	struct luks2_device *device = NULL;
	struct mortise_error ignored;
	bool in_use = false;

	if (!luks2_device_open(path, false, &device, &ignored))
		in_use = disk_in_use(device);
	luks2_device_close(device);
	return in_use;
}

static const char *describe(const struct disk_probe *probe)
{
	return probe->content == DISK_RESETTING ? "an interrupted reset"
						: reset_content_text(probe);
}

enum mortise_code reset_plan_ordered(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	struct reset_order order;

	if (!copy_order(run, plan->volume, &order))
		return MORTISE_OK;
	if (!reset_order_is_for(&order, plan->device, &plan->probe)) {
		plan->reset = RESET_STALE;
		return VOLUME_PLAN_ADD(
			plan, err, MORTISE_STEP_RESET, -1,
			"drop the order to erase %s: %s holds another volume (%s) now", order.id,
			plan->device, describe(&plan->probe));
	}
	if (is_in_use(plan->device)) {
		plan->reset = RESET_IN_USE;
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_RESET, -1,
				       "erase %s (%s) at the first `mortise up` that finds it "
				       "closed, " RESET_ORDERED,
				       plan->device, describe(&plan->probe));
	}
	volume_plan_forget_header(plan);
	plan->reset = RESET_ERASE;
	plan->erased = plan->probe;
	plan->probe = (struct disk_probe){ .content = DISK_EMPTY };
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_RESET, -1, "erase %s (%s), " RESET_ORDERED,
			       plan->device, describe(&plan->erased));
}

enum mortise_code reset_plan_unfinished(const struct volume_run *run, struct volume_plan *plan,
					struct mortise_error *err)
{
	char command[VOLUME_RESET_COMMAND];

	volume_reset_command(run, plan->volume, plan->device, command);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "%s: a reset was interrupted; to finish it, run `%s`", plan->device,
			       command);
}

/* device is where the run has found the volume. */
static enum mortise_code erase(struct volume_run *run, const struct reset_order *order,
			       const char *device, struct mortise_error *err)
{
	const char *const names[] = { order->id };
	const struct mortise_volume_device devices[] = { { order->id, device } };
	const struct mortise_reset_options options = {
		.struct_size = sizeof(options),
		.names = names,
		.name_count = 1,
		.devices = devices,
		.device_count = *device ? 1 : 0,
		.full = order->full,
		.events = &run->events,
	};
	struct mortise_reset *reset = NULL;
	struct reset_target *target;
	enum mortise_code code = mortise_reset_find(&options, &reset, err);

	if (code)
		return code;
	target = &reset->targets[0];
	reset->known = &run->known.list;
	if (!reset_order_is_for(order, target->device, &target->probe))
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "not erased: %s holds another volume (%s) than the order names",
				 target->device, describe(&target->probe));
	else if (target->in_use)
		code = error_set(err, MORTISE_E_BUSY, 0, "not erased: %s is in use",
				 target->device);
	if (!code)
		code = reset_volume(reset, target, err);
	if (!code)
		code = drop_order(run, order, err);
	mortise_reset_free(&reset);
	return code;
}

enum mortise_code reset_do_ordered(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	char notice[MORTISE_ERROR_TEXT];
	enum mortise_code code = MORTISE_OK;
	struct reset_order order;

	if (!copy_order(work->run, plan->volume, &order))
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "the order to erase %s was withdrawn; run the command again",
				 plan->volume->id);
	snprintf(notice, sizeof(notice), "not erased yet, because it is in use: " RESET_ORDERED);
	if (plan->reset == RESET_STALE) {
		code = drop_order(work->run, &order, err);
		snprintf(notice, sizeof(notice),
			 "not erased: the order named another volume, and was dropped");
	} else if (plan->reset == RESET_ERASE) {
		code = erase(work->run, &order, plan->device, err);
		snprintf(notice, sizeof(notice), "erased (%s), " RESET_ORDERED,
			 describe(&plan->erased));
	}
	if (!code)
		volume_opening_add(&work->result->opening.notices, notice);
	return code;
}

static bool is_declared(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->volume_count; i++)
		if (volume_is_called(&config->volumes[i], id))
			return true;
	return false;
}

void reset_do_undeclared(struct volume_run *run)
{
	char text[MORTISE_ERROR_TEXT + 64];
	struct mortise_error why;

	if (run->options->name_count || run->open_only)
		return;
	/* An order that is carried out leaves the list. */
	for (size_t i = run->known.orders.count; i > 0; i--) {
		const struct reset_order order = run->known.orders.order[i - 1];

		if (is_declared(run->config, order.id))
			continue;
		if (reset_order_check(&order, &why))
			snprintf(text, sizeof(text), "not erased: %s; " RESET_ORDERED, why.text);
		else if (erase(run, &order, order.device, &why))
			snprintf(text, sizeof(text), "%s; " RESET_ORDERED, why.text);
		else
			snprintf(text, sizeof(text), "erased, " RESET_ORDERED);
		volume_run_notify(run, order.id, text);
	}
}
