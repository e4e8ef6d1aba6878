/* SPDX-License-Identifier: MIT */
/* What the volumes of one run share while they are worked on side by side. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "declared/meta_state.h"
#include "declared/plan.h"

/* Keys of the machine itself, and what a KMS knows it by. */
bool volume_needs_node_uuid(const struct config *volumes)
{
	for (size_t i = 0; i < volumes->volume_count; i++)
		for (size_t j = 0; j < volumes->volumes[i].key_count; j++)
			if (volumes->volumes[i].keys[j].kind == CONFIG_KEY_NODE_ID ||
			    volumes->volumes[i].keys[j].kind == CONFIG_KEY_KMS)
				return true;
	return false;
}

enum mortise_code volume_run_init(struct volume_run *run, const struct config *volumes,
				  const struct mortise_up_options *options,
				  struct volume_budget *budget, struct mortise_error *err)
{
	enum mortise_code code;

	*run = (struct volume_run){ .config = volumes, .options = options, .budget = budget };
	volume_budget_init(budget);
	pthread_mutex_init(&run->watch_lock, NULL);
	pthread_mutex_init(&run->cost_lock, NULL);
	pthread_mutex_init(&run->order_lock, NULL);
	pthread_cond_init(&run->order_changed, NULL);
	if (options->sources) {
		code = sized_input(SIZED(mortise_key_sources), &run->sources, options->sources,
				   err);
		if (code)
			return code;
	}
	run->unfinished = calloc(volumes->volume_count + 1, sizeof(*run->unfinished));
	if (!run->unfinished)
		return error_memory(err);
	if (run->sources.node_uuid || !volume_needs_node_uuid(volumes))
		return MORTISE_OK;
	code = volume_meta_node_uuid(options, run->node_uuid, err);
	if (!code && *run->node_uuid)
		run->sources.node_uuid = run->node_uuid;
	return code;
}

void volume_run_clear(struct volume_run *run)
{
	free(run->unfinished);
	pthread_cond_destroy(&run->order_changed);
	pthread_mutex_destroy(&run->order_lock);
	pthread_mutex_destroy(&run->cost_lock);
	pthread_mutex_destroy(&run->watch_lock);
	volume_budget_clear(run->budget);
}

void volume_run_set_unfinished(struct volume_run *run, const struct config_volume *volume,
			       bool unfinished)
{
	pthread_mutex_lock(&run->order_lock);
	run->unfinished[volume - run->config->volumes] = unfinished;
	pthread_cond_broadcast(&run->order_changed);
	pthread_mutex_unlock(&run->order_lock);
}

static bool is_above(const struct config_volume *outer, const struct config_volume *inner)
{
	size_t length = outer->mount_point ? strlen(outer->mount_point) : 0;

	return length && inner->mount_point && outer != inner &&
	       !strncmp(outer->mount_point, inner->mount_point, length) &&
	       inner->mount_point[length] == '/';
}

static bool outer_is_unfinished(const struct volume_run *run, const struct config_volume *volume)
{
	for (size_t i = 0; i < run->config->volume_count; i++)
		if (run->unfinished[i] && is_above(&run->config->volumes[i], volume))
			return true;
	return false;
}

void volume_run_wait_for_outer(struct volume_run *run, const struct config_volume *volume)
{
	pthread_mutex_lock(&run->order_lock);
	while (outer_is_unfinished(run, volume))
		pthread_cond_wait(&run->order_changed, &run->order_lock);
	pthread_mutex_unlock(&run->order_lock);
}
