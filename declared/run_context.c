/* SPDX-License-Identifier: MIT */
/* The context of one run, shared by the threads that work on its volumes. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "base/sized.h"
#include "declared/cond.h"
#include "declared/declared.h"
#include "declared/meta_state.h"
#include "declared/trust.h"

/*
 * Forwards polls at once, from any thread, and other events one at a time. A cancellation holds for
 * the rest of the run, even if the callback cancels only once.
 */
static bool forward_event(void *context, const struct mortise_event *event)
{
	struct volume_run *run = context;
	const struct mortise_events *to = run->options->events;
	const bool poll = event->type == MORTISE_EVENT_POLL;

	if (poll && atomic_load(&run->canceled))
		return false;
	if (!poll)
		pthread_mutex_lock(&run->events_lock);
	if (!to->call(to->context, event))
		atomic_store(&run->canceled, true);
	if (!poll)
		pthread_mutex_unlock(&run->events_lock);
	return !atomic_load(&run->canceled);
}

void volume_run_notify(struct volume_run *run, const char *volume, const char *text)
{
	events_notify(&run->events, volume, text);
}

enum mortise_code volume_run_init(struct volume_run *run, const struct mortise_config *config,
				  const struct mortise_up_options *options,
				  struct mortise_error *err)
{
	enum mortise_code code;

	*run = (struct volume_run){
		.machine = config,
		.config = config->volumes,
		.options = options,
		.open_only = !config->text,
	};
	known_list_init(&run->known.list);
	volume_memory_init(&run->memory);
	pthread_mutex_init(&run->events_lock, NULL);
	pthread_mutex_init(&run->cost_lock, NULL);
	pthread_mutex_init(&run->order_lock, NULL);
	volume_cond_init(&run->order_changed);
	if (options->events && options->events->call)
		run->events = (struct mortise_events){ .call = forward_event, .context = run };
	volume_budget_init(&run->budget, &run->events);
	volume_waits_init(&run->waits);
	code = volume_trust_load(options->trust, &run->trust, err);
	if (code)
		return code;
	if (options->sources) {
		code = sized_input(SIZED(mortise_key_sources), &run->sources, options->sources,
				   err);
		if (code)
			return code;
	}
	run->unfinished = calloc(run->config->volume_count + 1, sizeof(*run->unfinished));
	if (!run->unfinished)
		return error_memory(err);
	run->sources.events = &run->events;
	if (run->trust->kms_ca)
		run->sources.kms_ca = run->trust->kms_ca;
	code = volume_choose_node_uuid(run, err);
	/* Last: what a trust file says of META's UUID is not among the facts. */
	if (!code)
		volume_memory_add_facts(run);
	return code;
}

void volume_run_clear(struct volume_run *run)
{
	free(run->unfinished);
	config_trust_free(run->trust);
	volume_waits_clear(&run->waits);
	volume_budget_clear(&run->budget);
	pthread_cond_destroy(&run->order_changed);
	pthread_mutex_destroy(&run->order_lock);
	pthread_mutex_destroy(&run->cost_lock);
	pthread_mutex_destroy(&run->events_lock);
	volume_memory_clear(&run->memory);
	known_list_clear(&run->known.list);
	reset_orders_clear(&run->known.orders);
}

void volume_run_set_unfinished(struct volume_run *run, const struct config_volume *volume,
			       bool unfinished)
{
	pthread_mutex_lock(&run->order_lock);
	run->unfinished[volume - run->config->volumes] = unfinished;
	pthread_cond_broadcast(&run->order_changed);
	pthread_mutex_unlock(&run->order_lock);
}

bool volume_is_above(const struct config_volume *outer, const struct config_volume *inner)
{
	size_t length = outer->mount_point ? strlen(outer->mount_point) : 0;

	return length && inner->mount_point && outer != inner &&
	       !strncmp(outer->mount_point, inner->mount_point, length) &&
	       inner->mount_point[length] == '/';
}

static bool outer_is_unfinished(const struct volume_run *run, const struct config_volume *volume)
{
	for (size_t i = 0; i < run->config->volume_count; i++)
		if (run->unfinished[i] && volume_is_above(&run->config->volumes[i], volume))
			return true;
	return false;
}

bool volume_run_wait_for_outer(struct volume_run *run, const struct config_volume *volume)
{
	bool go_on = true;

	pthread_mutex_lock(&run->order_lock);
	while (go_on && outer_is_unfinished(run, volume))
		go_on = volume_cond_wait(&run->events, &run->order_changed, &run->order_lock);
	pthread_mutex_unlock(&run->order_lock);
	return go_on;
}
