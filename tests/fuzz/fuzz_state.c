/* SPDX-License-Identifier: MIT */
/* Hostile bytes in tag 9 of META. Accepted bytes are kept unchanged, and parse to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/meta_volumes.h"

const char *const fuzz_kinds[] = { "records of STATE", NULL };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config, *again;
	struct mortise_error err;

	if (config_state_parse(data, size, "META", &config, &err) != MORTISE_OK) {
		if (config || !err.text[0])
			abort();
		return 0;
	}
	if (config->volume_count != 1 || strcmp(config->volumes[0].id, "STATE") != 0 ||
	    config->volumes[0].encrypted != (config->volumes[0].key_count > 0))
		abort();
	if (config_state_parse(mortise_secret_data(config->state_json),
			       mortise_secret_size(config->state_json), "META", &again, &err))
		abort();
	if (!same_volume(&config->volumes[0], &again->volumes[0]) ||
	    !mortise_secret_equal(config->state_json, again->state_json))
		abort();
	fuzz_accepted(0);
	config_free(again);
	config_free(config);
	return 0;
}
