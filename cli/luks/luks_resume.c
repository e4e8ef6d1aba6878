/* SPDX-License-Identifier: MIT */
/* luksResume: give a suspended mapping its key again. */
#include "cli/luks/open.h"
#include "cli/luks/seal.h"
#include "cli/print.h"
#include "cli/verbs.h"

enum status run_luks_resume(const struct command *c)
{
	const uint32_t flags =
		option_set(&c->options, OPTION_DISABLE_KEYRING) ? MORTISE_NO_KEYRING : 0;
	const char *name = command_mapping(c, 0);
	struct mortise_secret *volume_key = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_mapping_info info;
	struct mortise_error err = { 0 };
	enum status status;
	struct paths paths;

	status = open_link_key(c, NULL);
	if (status != STATUS_OK)
		return status;
	status = header_load_of_mapping(c, name, &info, &paths, &header);
	if (status != STATUS_OK && info.device[0] != '\0')
		return fail_with(status, "%s is not active LUKS device name or header is missing.",
				 name);
	if (status != STATUS_OK)
		return status;
	if (!info.suspended)
		status = fail_with(STATUS_USAGE, "Volume %s is not suspended.", name);
	else
		status = open_unlock(c, &paths, header, &volume_key);
	if (status == STATUS_OK)
		status = seal_demand(c, header);
	if (status == STATUS_OK && mortise_resume(header, name, volume_key, flags, &err))
		status = fail(c, &err);
	else if (status == STATUS_OK)
		status = open_link_key(c, volume_key);
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
