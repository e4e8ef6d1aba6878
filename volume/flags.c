/* SPDX-License-Identifier: MIT */
/* Activation flags: public bits, dm-crypt bits, names in the header. */
#include "volume/flags.h"

#include <string.h>

#include "dm/dm.h"

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

uint32_t volume_flags_of_header(struct json_object *metadata)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (luks2_config_has_flag(metadata, names[i].text))
			flags |= names[i].flag;
	return flags;
}

bool volume_flags_to_header(struct json_object *metadata, uint32_t flags)
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
