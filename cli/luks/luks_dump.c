/* SPDX-License-Identifier: MIT */
/* luksDump: print the header as text or JSON, or the volume key. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/luks/luks_dump.h"
#include "cli/print.h"
#include "cli/verbs.h"

static enum status dump_json(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_error err = { 0 };
	char *json = NULL;

	if (mortise_header_json(header, &json, &err))
		return fail(c, &err);
	print_json(json);
	free(json);
	return STATUS_OK;
}

static void dump_all(const struct command *c, const struct paths *paths,
		     const struct mortise_luks2 *header)
{
	if (header_version(header) == 1) {
		dump_luks1(header, paths->header);
		return;
	}
	dump_text(header);
	if (!c->as_cryptsetup)
		dump_seal(header);
}

enum status run_luks_dump(const struct command *c)
{
	struct mortise_luks2 *header = NULL;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = header_load(c, &paths, "LUKS", &header);
	if (status != STATUS_OK)
		return status;
	if (option_set(&c->options, OPTION_DUMP_VOLUME_KEY))
		status = dump_volume_key(c, &paths, header);
	else if (option_set(&c->options, OPTION_UNBOUND))
		status = dump_unbound_key(c, &paths, header);
	else if (option_set(&c->options, OPTION_DUMP_JSON))
		status = dump_json(c, header);
	else
		dump_all(c, &paths, header);
	mortise_luks2_free(&header);
	return status;
}
