/* SPDX-License-Identifier: MIT */
/* Hostile lists of known volumes. An accepted list has one complete entry for each volume. */
#include <stdlib.h>
#include <string.h>

#include "declared/known.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_kinds[] = { "lists", "encrypted volumes", NULL };

static void check_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			abort();
}

static void check_volume(struct known_list *list, const struct known_volume *volume)
{
	struct known_volume found;

	check_text(volume->id);
	check_text(volume->uuid);
	check_text(volume->partuuid);
	if (!*volume->id || !known_find(list, volume->id, &found) ||
	    memcmp(&found, volume, sizeof(found)) != 0)
		abort();
	if (volume->encrypted && !*volume->uuid)
		abort();
	if (volume->encrypted)
		fuzz_accepted(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mortise_error err = { 0 };
	struct known_list list;

	known_list_init(&list);
	list.dir = "STATE";
	if (known_parse(&list, (const char *)data, size, &err)) {
		if (!err.text[0])
			abort();
	} else {
		if (list.count > KNOWN_MAX)
			abort();
		fuzz_accepted(0);
		for (size_t i = 0; i < list.count; i++)
			check_volume(&list, &list.volumes[i]);
	}
	known_list_clear(&list);
	return 0;
}
