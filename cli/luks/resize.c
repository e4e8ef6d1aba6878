/* SPDX-License-Identifier: MIT */
/* resize: another size for a live mapping. As in cryptsetup, --size counts 512-byte sectors. */
#include <stdio.h>
#include <string.h>

#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/print.h"
#include "cli/verbs.h"

#define SECTOR 512u

const char *check_resize(const struct command *c)
{
	if (option_set(&c->options, OPTION_SIZE) && option_set(&c->options, OPTION_DEVICE_SIZE))
		return "Options --device-size and --size cannot be combined.";
	if (option_number(&c->options, OPTION_DEVICE_SIZE) % SECTOR != 0)
		return "Device size must be multiple of 512 bytes sector.";
	if (option_number(&c->options, OPTION_SIZE) > UINT64_MAX / SECTOR)
		return "Invalid device size specification.";
	return NULL;
}

/* The kernel does not give back a key in its keyring: a token or a passphrase does. */
static enum status unlock(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, struct mortise_secret **volume_key)
{
	const struct unlock_passphrase how = {
		.device = paths->device,
		.prompt = "Enter passphrase: ",
		.search = { .struct_size = sizeof(how.search),
			    .keyslot = option_slot(&c->options, OPTION_KEY_SLOT) },
	};

	if (option_set(&c->options, OPTION_DISABLE_KEYRING))
		return fail_with(STATUS_USAGE, "Resize of active device requires volume key in "
					       "keyring but --disable-keyring option is set.");
	return unlock_volume(c, &how, header, volume_key);
}

enum status run_resize(const struct command *c)
{
	const uint64_t size = option_set(&c->options, OPTION_DEVICE_SIZE)
				      ? option_number(&c->options, OPTION_DEVICE_SIZE)
				      : option_number(&c->options, OPTION_SIZE) * SECTOR;
	struct mortise_mapping_info info = { .struct_size = sizeof(info) };
	const char *name = command_mapping(c, 0);
	struct mortise_secret *volume_key = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	enum status status;
	struct paths paths;

	/* The table of a plain mapping has all that is needed. */
	if (!mortise_mapping_info(name, &info, NULL) && strcmp(info.type, "PLAIN") == 0)
		return mortise_resize(NULL, name, NULL, size, &err) ? fail(c, &err) : STATUS_OK;
	status = header_load_of_mapping(c, name, &info, &paths, &header);
	if (status != STATUS_OK)
		return status;
	if (info.key_in_keyring)
		status = unlock(c, &paths, header, &volume_key);
	if (status == STATUS_OK)
		status = seal_demand(c, header);
	if (status == STATUS_OK && mortise_resize(header, name, volume_key, size, &err))
		status = fail(c, &err);
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
