/* SPDX-License-Identifier: MIT */
/* refresh, open --refresh: other activation flags for a live mapping. */
#include "cli/luks/open.h"
#include "cli/luks/seal.h"
#include "cli/print.h"
#include "cli/verbs.h"

/* As in cryptsetup, the device before the name may be left out, and is not used. */
enum status run_refresh(const struct command *c)
{
	const char *name = command_mapping(c, c->word_count > 1 ? 1 : 0);
	struct mortise_secret *volume_key = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_mapping_info info;
	struct mortise_error err = { 0 };
	enum status status;
	struct paths paths;
	uint32_t dropped;

	status = header_load_of_mapping(c, name, &info, &paths, &header);
	/* cryptsetup's status for a mapping that is not active. */
	if (status == STATUS_DEVICE)
		status = STATUS_USAGE;
	if (status != STATUS_OK)
		return status;
	status = open_unlock(c, &paths, header, &volume_key);
	if (status == STATUS_OK)
		status = seal_demand(c, header);
	if (status == STATUS_OK &&
	    mortise_refresh(header, name, volume_key, open_flags(c), &dropped, &err))
		status = fail(c, &err);
	else if (status == STATUS_OK)
		open_say_dropped(c, dropped);
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
