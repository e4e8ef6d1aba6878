/* SPDX-License-Identifier: MIT */
/* open: unlock with a token, passphrase or volume key, and create the mapping. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/luks/open.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/verbs.h"

#define DATA_OFFSET_MIN 4096u /* bytes; a smaller one requires a detached header */

uint32_t open_flags(const struct command *c)
{
	static const struct {
		enum option_id option;
		uint32_t flag;
	} flags[] = {
		{ OPTION_ALLOW_DISCARDS, MORTISE_ALLOW_DISCARDS },
		{ OPTION_PERF_SAME_CPU_CRYPT, MORTISE_SAME_CPU_CRYPT },
		{ OPTION_PERF_SUBMIT_FROM_CRYPT_CPUS, MORTISE_SUBMIT_FROM_CRYPT_CPUS },
		{ OPTION_PERF_NO_READ_WORKQUEUE, MORTISE_NO_READ_WORKQUEUE },
		{ OPTION_PERF_NO_WRITE_WORKQUEUE, MORTISE_NO_WRITE_WORKQUEUE },
		{ OPTION_INTEGRITY_NO_JOURNAL, MORTISE_NO_JOURNAL },
		{ OPTION_READONLY, MORTISE_READONLY },
		{ OPTION_DISABLE_KEYRING, MORTISE_NO_KEYRING },
		{ OPTION_PERSISTENT, MORTISE_PERSISTENT },
	};
	uint32_t wanted = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (option_set(&c->options, flags[i].option))
			wanted |= flags[i].flag;
	}
	return wanted;
}

enum status open_link_key(const struct command *c, const struct mortise_secret *volume_key)
{
	const char *target = option_text(&c->options, OPTION_LINK_VK_TO_KEYRING);
	struct mortise_error err = { 0 };

	if (!target || !mortise_keyring_store(target, volume_key, &err))
		return STATUS_OK;
	return fail(c, &err);
}

void open_say_dropped(const struct command *c, uint32_t dropped)
{
	if (dropped != 0)
		verbose(c, "The kernel does not support some of the flags; they were ignored.");
}

/* The checks before a passphrase is asked for. */
static enum status check_target(const struct command *c, const struct paths *paths,
				const struct mortise_luks2 *header, const char *name)
{
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_error err = { 0 };
	enum mortise_code code;
	struct stat st;

	if (!name)
		return STATUS_OK;
	if (mortise_segment_info(header, 0, &segment, &err))
		return fail(c, &err);
	if (!paths->detached && segment.offset < DATA_OFFSET_MIN)
		return fail_with(STATUS_USAGE,
				 "Reduced data offset is allowed only for detached LUKS header.");
	if (stat(paths->device, &st) == 0 && S_ISREG(st.st_mode) &&
	    segment.offset >= (uint64_t)st.st_size)
		return fail_with(STATUS_USAGE,
				 "LUKS file container %s is too small for activation, there is no "
				 "remaining space for data.",
				 paths->device);
	code = mortise_is_active(name, &err);
	if (code == MORTISE_OK)
		return fail_with(STATUS_BUSY, "Device %s already exists.", name);
	return code == MORTISE_E_INACTIVE ? STATUS_OK : fail(c, &err);
}

enum status open_unlock(const struct command *c, const struct paths *paths,
			struct mortise_luks2 *header, struct mortise_secret **volume_key)
{
	bool testing = option_set(&c->options, OPTION_TEST_PASSPHRASE);
	const struct unlock_passphrase how = {
		.device = paths->device,
		.search = {
			.struct_size = sizeof(how.search),
			.keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
			.unbound = testing && (option_set(&c->options, OPTION_KEY_SLOT) ||
					       option_set(&c->options, OPTION_UNBOUND)),
		},
	};

	if (header_has_volume_key(c) && unlock_in_reencryption(header))
		return fail_with(STATUS_USAGE, "mortise: the volume is in reencryption and has two "
					       "volume keys; open it with a passphrase");
	if (header_has_volume_key(c))
		return header_read_volume_key(c, header, volume_key);
	return unlock_volume(c, &how, header, volume_key);
}

enum status run_open(const struct command *c)
{
	bool testing = option_set(&c->options, OPTION_TEST_PASSPHRASE);
	const char *name = testing ? NULL : command_word(c, 1);
	struct mortise_secret *volume_key = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	struct paths paths;
	enum status status;
	uint32_t dropped = 0;

	if (option_set(&c->options, OPTION_REFRESH))
		return run_refresh(c);
	if (strcmp(c->type, "plain") == 0)
		return open_plain(c);
	if (!testing && !name)
		return fail_with(STATUS_USAGE,
				 "Command requires device and mapped name as arguments.");
	status = open_link_key(c, NULL);
	if (status != STATUS_OK)
		return status;
	paths_find(c, command_word(c, 0), &paths);
	status = header_load_with_device(c, &paths, &header);
	if (status != STATUS_OK)
		return status;
	status = check_target(c, &paths, header, name);
	if (status != STATUS_OK)
		goto out;
	status = open_unlock(c, &paths, header, &volume_key);
	if (status == STATUS_OK)
		status = seal_demand(c, header);
	if (status != STATUS_OK)
		goto out;
	if (name && mortise_activate(header, name, volume_key, open_flags(c), &dropped, &err))
		status = fail(c, &err);
	else
		status = open_link_key(c, volume_key);
	open_say_dropped(c, dropped);
out:
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
