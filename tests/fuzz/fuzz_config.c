/* SPDX-License-Identifier: MIT */
/*
 * Hostile configurations. Remarks must be printable, and the record of STATE for META must parse to
 * the declared volume.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/meta_volumes.h"

const char *const fuzz_kinds[] = { "configurations", NULL };

static void check_remarks(const struct config_diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		for (const char *at = diagnostics->diagnostic[i].text; *at; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				abort();
}

static void check_volume(const struct config_volume *volume)
{
	if (!volume->name || !volume->id || (volume->encrypted && !volume->key_count) ||
	    (volume->disk_selector && volume->kind != CONFIG_VOLUME_USER) ||
	    !volume->mount_point != (volume->filesystem >= CONFIG_FS_SWAP))
		abort();
}

static void check_state(struct config *config)
{
	struct config *state;

	if (config_add_state(config, NULL) ||
	    config_state_parse(mortise_secret_data(config->state_json),
			       mortise_secret_size(config->state_json), "META", &state, NULL))
		abort();
	if (!mortise_secret_equal(config->state_json, state->state_json) ||
	    config->volumes[0].encrypted != state->volumes[0].encrypted ||
	    config->volumes[0].key_count != state->volumes[0].key_count)
		abort();
	for (size_t i = 0; i < state->volumes[0].key_count; i++)
		if (!same_key(&config->volumes[0].keys[i], &state->volumes[0].keys[i]))
			abort();
	config_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config;
	struct config_diagnostics diagnostics;
	struct mortise_error err;
	enum mortise_code code =
		config_parse((const char *)data, size, "config", &config, &diagnostics, &err);

	check_remarks(&diagnostics);
	config_diagnostics_clear(&diagnostics);
	if (!config != (code != MORTISE_OK))
		abort();
	if (!config)
		return 0;
	fuzz_accepted(0);
	for (size_t i = 0; i < config->volume_count; i++)
		check_volume(&config->volumes[i]);
	check_state(config);
	config_free(config);
	return 0;
}
