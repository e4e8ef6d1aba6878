/* SPDX-License-Identifier: MIT */
#include "declared/handover.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/secret.h"
#include "luks2/digest.h"
#include "luks2/reencrypt.h"
#include "volume/keyring.h"

#define DESCRIPTION "mortise:continue:"
#define ROOM	    (sizeof(DESCRIPTION) + MORTISE_NAME_MAX)
#define KEY_MAX	    128u /* bytes */

static void describe(const char *mapping, char description[static ROOM])
{
	snprintf(description, ROOM, DESCRIPTION "%s", mapping);
}

/* Appends the size of a key, one byte, and the key; NULL: size 0. */
static size_t put(uint8_t *to, const struct mortise_secret *key)
{
	const size_t size = key ? mortise_secret_size(key) : 0;

	*to = (uint8_t)size;
	if (size)
		memcpy(to + 1, mortise_secret_data(key), size);
	return size + 1;
}

void volume_handover_keep(const struct volume_plan *plan)
{
	const struct mortise_secret *key = volume_plan_key(plan);
	const struct mortise_secret *next =
		plan->header ? luks2_header_next_key(plan->header) : NULL;
	char description[ROOM];
	uint8_t keys[2 * (KEY_MAX + 1)];
	size_t size;

	if (!key || !plan->proven || mortise_secret_size(key) > KEY_MAX ||
	    (next && mortise_secret_size(next) > KEY_MAX))
		return;
	describe(plan->mapping, description);
	size = put(keys, key);
	size += put(keys + size, next);
	(void)syscall(SYS_add_key, "user", description, keys, size, KEY_SPEC_USER_KEYRING);
	secret_wipe(keys, sizeof(keys));
}

long volume_kept_find(const char *description)
{
	/* A service may have a session keyring without root's, and a key outside of it is unreadable. */
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", description,
		       KEY_SPEC_THREAD_KEYRING);
}

void volume_kept_release(long id)
{
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_THREAD_KEYRING);
}

/* Verifies the key at the start of bytes[0..size-1], unless its size is 0, and stores it. */
static bool take_key(struct mortise_luks2 *header, int digest, const uint8_t *bytes, size_t size,
		     enum mortise_code (*store)(struct mortise_luks2 *header,
						const struct mortise_secret *key,
						struct mortise_error *err))
{
	struct mortise_secret *key = NULL;
	bool taken;

	if (!size || bytes[0] >= size)
		return false;
	if (!bytes[0])
		return true;
	taken = !mortise_secret_from(bytes + 1, bytes[0], &key, NULL) &&
		!luks2_digest_verify(header, digest, key, NULL) && !store(header, key, NULL);
	mortise_secret_free(&key);
	return taken;
}

void volume_handover_take(struct volume_plan *plan)
{
	struct luks2_reencryption state;
	char description[ROOM];
	struct mortise_secret *kept = NULL;
	const uint8_t *bytes;
	size_t size;
	long id;

	if (luks2_reencryption_get(luks2_header_metadata(plan->header), &state, NULL))
		return;
	describe(plan->mapping, description);
	id = volume_kept_find(description);
	if (id < 0)
		return;
	if (!volume_keyring_get(id, description, &kept, NULL)) {
		bytes = mortise_secret_data(kept);
		size = mortise_secret_size(kept);
		if (size && bytes[0] && size > 1u + bytes[0] &&
		    take_key(plan->header, state.after.digest, bytes + bytes[0] + 1,
			     size - bytes[0] - 1, luks2_header_set_next_key))
			plan->proven = take_key(plan->header,
						state.before.digest < 0 ? state.after.digest
									: state.before.digest,
						bytes, size, luks2_header_set_volume_key);
	}
	mortise_secret_free(&kept);
	volume_kept_release(id);
}

void volume_handover_forget(const struct config_volume *volume)
{
	char mapping[MORTISE_NAME_MAX + 1], description[ROOM];
	long id;

	volume_mapping_name(volume, mapping);
	describe(mapping, description);
	id = volume_kept_find(description);
	if (id < 0)
		return;
	volume_kept_release(id);
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_USER_KEYRING);
}
