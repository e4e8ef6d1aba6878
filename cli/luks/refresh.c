/* SPDX-License-Identifier: MIT */
/* refresh, open --refresh: other activation flags for a live mapping. */
#include <string.h>

#include "cli/luks/open.h"
#include "cli/luks/seal.h"
#include "cli/print.h"
#include "cli/verbs.h"

/* Hash and passphrase must give the key that the mapping has. */
static enum status refresh_plain(const struct command *c, const char *name,
				 const struct mortise_mapping_info *info)
{
	struct mortise_secret *key = NULL;
	struct mortise_error err = { 0 };
	enum status status = plain_read_key(c, info->device, info->key_size, &key);
	uint32_t dropped;

	if (status == STATUS_OK && mortise_refresh(NULL, name, key, open_flags(c), &dropped, &err))
		status = fail(c, &err);
	else if (status == STATUS_OK)
		open_say_dropped(c, dropped);
	mortise_secret_free(&key);
	return status;
}

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

	info = (struct mortise_mapping_info){ .struct_size = sizeof(info) };
	if (!mortise_mapping_info(name, &info, NULL) && strcmp(info.type, "PLAIN") == 0)
		return refresh_plain(c, name, &info);
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
