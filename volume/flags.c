/* SPDX-License-Identifier: MIT */
/* Activation flags: public bits, dm-crypt bits, names in the header. */
#include "volume/flags.h"

#include <string.h>

#include "base/error.h"
#include "dm/dm.h"
#include "luks2/metadata.h"

/* In the order in which cryptsetup writes them to the header. */
static const struct {
	uint32_t flag;
	uint32_t dm;
	const char *text;
} names[] = {
	{ MORTISE_ALLOW_DISCARDS, DM_CRYPT_ALLOW_DISCARDS, "allow-discards" },
	{ MORTISE_SAME_CPU_CRYPT, DM_CRYPT_SAME_CPU_CRYPT, "same-cpu-crypt" },
	{ MORTISE_SUBMIT_FROM_CRYPT_CPUS, DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS,
	  "submit-from-crypt-cpus" },
	{ MORTISE_NO_JOURNAL, 0, "no-journal" },
	{ MORTISE_NO_READ_WORKQUEUE, DM_CRYPT_NO_READ_WORKQUEUE, "no-read-workqueue" },
	{ MORTISE_NO_WRITE_WORKQUEUE, DM_CRYPT_NO_WRITE_WORKQUEUE, "no-write-workqueue" },
};

#define NAMES (sizeof(names) / sizeof(*names))

uint32_t volume_flags_to_dm(uint32_t flags)
{
	uint32_t dm = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (flags & names[i].flag)
			dm |= names[i].dm;
	return dm;
}

uint32_t volume_flags_from_dm(uint32_t dm_flags)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (dm_flags & names[i].dm)
			flags |= names[i].flag;
	return flags;
}

static uint32_t flags_of_header(struct json_object *metadata)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (luks2_config_has_flag(metadata, names[i].text))
			flags |= names[i].flag;
	return flags;
}

uint32_t volume_flags_choose(const struct mortise_luks2 *header, uint32_t flags)
{
	/* cryptsetup passes keys of LUKS1 in the table, and other programs expect them there. */
	if (luks2_header_is_luks1(header))
		flags |= MORTISE_NO_KEYRING;
	/* As in cryptsetup, the flags to store replace those that are stored. */
	if (flags & (MORTISE_ONLY_GIVEN | MORTISE_PERSISTENT))
		return flags;
	return flags | flags_of_header(luks2_header_metadata(header));
}

static bool flags_to_header(struct json_object *metadata, uint32_t flags)
{
	struct json_object *array = json_object_new_array();

	if (!luks2_config_set_flags(metadata, array))
		return false;
	for (size_t i = 0; i < NAMES; i++)
		if ((flags & names[i].flag) &&
		    !luks2_json_append(array, json_object_new_string(names[i].text)))
			return false;
	return true;
}

enum mortise_code volume_flags_persist(struct mortise_luks2 *header, const char *name,
				       uint32_t flags, struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code;

	if (!(flags & MORTISE_PERSISTENT))
		return MORTISE_OK;
	code = luks2_update_begin(header, &update, err);
	if (!code) {
		if (flags_to_header(luks2_update_metadata(update), flags))
			code = luks2_update_commit(&update, err);
		else
			code = error_memory(err);
		luks2_update_abort(&update);
	}
	if (code)
		error_prefix(err, "mapping %s is active, but its flags are not stored", name);
	return code;
}
