/* SPDX-License-Identifier: MIT */
/* The public operations on keyslots. Each is one update of the header. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/digest.h"
#include "luks2/format.h"
#include "luks2/keyslot.h"
#include "luks2/layout.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/private.h"

/* The key of an unbound keyslot: the given one, or a new random one in *made. */
static enum mortise_code choose_unbound_key(const struct mortise_keyslot_new *what,
					    struct mortise_secret **made,
					    const struct mortise_secret **key,
					    struct mortise_error *err)
{
	enum mortise_code code;

	*key = what->unbound_key;
	if (*key)
		return MORTISE_OK;
	if (!what->unbound_key_size || what->unbound_key_size > LUKS2_KEY_SIZE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "an unbound key must have 1 to %u bytes, not %u",
				 LUKS2_KEY_SIZE_MAX, what->unbound_key_size);
	code = secret_random(what->unbound_key_size, made, err);
	*key = *made;
	return code;
}

/* The volume key: the given one or the one the header knows, verified. */
static enum mortise_code choose_volume_key(struct mortise_luks2 *header,
					   const struct mortise_secret *volume_key,
					   const struct mortise_secret **key,
					   struct mortise_error *err)
{
	*key = volume_key ? volume_key : header->volume_key;
	if (!*key)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot add a keyslot without the volume key");
	return mortise_volume_key_verify(header, *key, err);
}

/* The key that keyslot id holds, verified. An unbound keyslot holds another than the volume's. */
static enum mortise_code choose_key_of_keyslot(struct mortise_luks2 *header, int id,
					       const struct mortise_secret *volume_key,
					       const struct mortise_secret **key,
					       struct mortise_error *err)
{
	int digest = luks2_digest_of_keyslot(header->metadata, id);

	if (!volume_key || digest < 0 || luks2_keyslot_opens_data(header->metadata, id))
		return choose_volume_key(header, volume_key, key, err);
	*key = volume_key;
	return luks2_digest_verify(header, digest, volume_key, err);
}

/* Begins an update of the header that another process has changed, if it is the same volume. */
static enum mortise_code begin_after_reading(struct mortise_luks2 *header,
					     const struct luks2_keyslot_request *request,
					     struct luks2_update **update,
					     struct mortise_error *err)
{
	char uuid[sizeof(header->binary.uuid)];
	enum mortise_code code = luks2_device_lock(header->device, true, err);

	if (code)
		return code;
	memcpy(uuid, header->binary.uuid, sizeof(uuid));
	code = luks2_header_read_again(header, err);
	if (code)
		goto out;
	if (strcmp(uuid, header->binary.uuid)) {
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s now holds another volume than when it was read; run again",
				 header->device->path);
		goto out;
	}
	code = luks2_usable(header->metadata, err);
	if (code)
		goto out;
	if (!request->what->unbound) {
		code = luks2_digest_verify(header, luks2_digest_of_segment(header->metadata, 0),
					   request->key, err);
		if (code)
			goto out;
	}
	code = luks2_update_begin(header, update, err);
out:
	luks2_device_unlock(header->device);
	return code;
}

/*
 * A new keyslot conflicts with no other change, so an update by another process in the meantime does
 * not make it fail, except without locks, when both could write at the same time.
 */
static enum mortise_code begin_adding(struct mortise_luks2 *header,
				      const struct luks2_keyslot_request *request,
				      struct luks2_update **update, struct mortise_error *err)
{
	enum mortise_code code = luks2_update_begin(header, update, err);

	if (code == MORTISE_E_CHANGED && header->device->locking)
		code = begin_after_reading(header, request, update, err);
	return code;
}

static enum mortise_code stage_unbound(struct luks2_update *update,
				       const struct luks2_keyslot_request *request, int *id,
				       struct mortise_error *err)
{
	const struct mortise_keyslot_new *what = request->what;
	const char *hash = what->hash ? what->hash : "sha256";
	/* A random key needs no stretching. */
	uint32_t iterations = what->unbound_key ? 0 : LUKS2_DIGEST_ITERATIONS_MIN;
	enum mortise_code code;
	int digest;

	code = luks2_digest_add(update->metadata, hash, iterations, request->key,
				&update->header->device->events, &digest, err);
	if (code)
		return code;
	return luks2_keyslot_stage_for(update, request, digest, id, err);
}

enum mortise_code mortise_keyslot_add(struct mortise_luks2 *header,
				      const struct mortise_keyslot_new *what,
				      const struct mortise_secret *passphrase,
				      const struct mortise_secret *volume_key, int *added,
				      struct mortise_error *err)
{
	struct mortise_keyslot_new wanted;
	struct mortise_kdf kdf;
	struct luks2_keyslot_request request = {
		.what = &wanted,
		.kdf = &kdf,
		.passphrase = passphrase,
	};
	struct mortise_secret *made = NULL;
	struct luks2_update *update = NULL;
	int id;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_keyslot_new, allow_cipher), &wanted, what, err);
	if (code)
		return code;
	id = wanted.keyslot;
	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = wanted.unbound ? choose_unbound_key(&wanted, &made, &request.key, err)
			      : choose_volume_key(header, volume_key, &request.key, err);
	if (code)
		goto out;
	code = luks2_keyslot_cost(header, &wanted, &kdf, err);
	if (code)
		goto out;
	code = begin_adding(header, &request, &update, err);
	if (code)
		goto out;
	code = wanted.unbound ? stage_unbound(update, &request, &id, err)
			      : luks2_keyslot_stage(update, &request, &id, err);
	if (code)
		goto out;
	luks2_format_finish(update);
	code = luks2_update_commit(&update, err);
	if (!code && added)
		*added = id;
out:
	luks2_update_abort(&update);
	mortise_secret_free(&made);
	return code;
}

static void set_priority(struct json_object *keyslots, int id, struct json_object *priority)
{
	struct json_object *keyslot = luks2_json_get_id(keyslots, id);

	if (priority && keyslot)
		luks2_json_add(keyslot, "priority", json_object_get(priority));
}

/*
 * The old area is wiped only after the header with the new one is on disk, so that both need room at
 * once. A keyslots area without a gap is extended into unused space before the data.
 */
static enum mortise_code make_room(struct luks2_update *update, int id, uint32_t key_size,
				   struct mortise_error *err)
{
	struct mortise_luks2 *header = update->header;
	const uint64_t room = luks2_area_room(key_size);
	struct mortise_error ignored;
	uint64_t offset;

	if (!luks2_layout_find_area(update->metadata, header->metadata, room, &offset, &ignored) ||
	    (!header->detached && luks2_layout_extend(update->metadata, header->device, room)))
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_NO_SPACE, 0,
		"cannot change keyslot %d: its new key needs %" PRIu64 " free bytes while "
		"the old one is kept, and the keyslots area is full; remove another keyslot",
		id, room);
}

enum mortise_code mortise_keyslot_change(struct mortise_luks2 *header, int id,
					 const struct mortise_keyslot_new *what,
					 const struct mortise_secret *passphrase,
					 const struct mortise_secret *volume_key,
					 struct mortise_error *err)
{
	struct mortise_keyslot_new wanted;
	struct mortise_kdf kdf;
	struct luks2_keyslot_request request = {
		.what = &wanted,
		.kdf = &kdf,
		.passphrase = passphrase,
	};
	struct json_object *keyslots, *priority = NULL;
	struct luks2_update *update;
	enum mortise_code code;
	int digest;

	code = sized_input(SIZED_SINCE(mortise_keyslot_new, allow_cipher), &wanted, what, err);
	if (code)
		return code;
	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = choose_key_of_keyslot(header, id, volume_key, &request.key, err);
	if (code)
		return code;
	code = luks2_keyslot_cost(header, &wanted, &kdf, err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	keyslots = luks2_json_get(update->metadata, "keyslots", json_type_object);
	priority = json_object_get(
		luks2_json_get(luks2_json_get_id(keyslots, id), "priority", json_type_int));
	digest = luks2_digest_of_keyslot(update->metadata, id);
	code = luks2_keyslot_stage_removal(update, id, false, err);
	if (!code)
		code = make_room(update, id, (uint32_t)mortise_secret_size(request.key), err);
	if (code)
		goto out;
	code = luks2_keyslot_stage_for(update, &request, digest, &id, err);
	if (code)
		goto out;
	set_priority(keyslots, id, priority);
	code = luks2_update_commit(&update, err);
out:
	json_object_put(priority);
	luks2_update_abort(&update);
	return code;
}

enum mortise_code mortise_keyslot_set_priority(struct mortise_luks2 *header, int id,
					       enum mortise_priority priority,
					       struct mortise_error *err)
{
	struct json_object *keyslots, *keyslot;
	struct luks2_update *update;
	enum mortise_code code;

	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	keyslots = luks2_json_get(update->metadata, "keyslots", json_type_object);
	keyslot = luks2_json_get_id(keyslots, id);
	if (!keyslot) {
		code = error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.", id);
		goto out;
	}
	/* cryptsetup stores no member for normal priority. */
	if (priority == MORTISE_PRIORITY_NORMAL) {
		json_object_object_del(keyslot, "priority");
	} else if (!luks2_json_add(keyslot, "priority", json_object_new_int((int)priority))) {
		code = error_memory(err);
		goto out;
	}
	code = luks2_update_commit(&update, err);
out:
	luks2_update_abort(&update);
	return code;
}

unsigned mortise_keyslot_others(const struct mortise_luks2 *header, int id)
{
	unsigned count = 0;

	for (int other = 0; other < (int)MORTISE_KEYSLOTS_MAX; other++)
		count += other != id && luks2_keyslot_opens_data(header->metadata, other);
	return count;
}
