/* SPDX-License-Identifier: MIT */
/* The public operations on keyslots: each one update of the header. */
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "base/secret.h"
#include "luks2/digest.h"
#include "luks2/format.h"
#include "luks2/keyslot.h"

/* The key of an unbound keyslot: the one given, or a new random one in *made. */
static enum mortise_code unbound_key(const struct mortise_keyslot_new *what,
				     struct mortise_secret **made,
				     const struct mortise_secret **key, struct mortise_error *err)
{
	enum mortise_code code;

	*key = what->unbound_key;
	if (*key)
		return MORTISE_OK;
	if (!what->unbound_key_size || what->unbound_key_size > 512)
		return error_set(err, MORTISE_E_USAGE, 0, "bad size for an unbound key");
	code = secret_random(what->unbound_key_size, made, err);
	*key = *made;
	return code;
}

/* Which key goes into the keyslot, checked to be the volume's. */
static enum mortise_code bound_key(struct mortise_luks2 *header,
				   const struct mortise_secret *volume_key,
				   const struct mortise_secret **key, struct mortise_error *err)
{
	*key = volume_key ? volume_key : header->volume_key;
	if (!*key)
		return error_set(err, MORTISE_E_USAGE, 0, "the volume key is needed for a keyslot");
	return mortise_volume_key_verify(header, *key, err);
}

/* For a change: the key that keyslot id holds, which need not be the volume's. */
static enum mortise_code key_of_keyslot(struct mortise_luks2 *header, int id,
					const struct mortise_secret *volume_key,
					const struct mortise_secret **key,
					struct mortise_error *err)
{
	int digest = luks2_digest_of_keyslot(header->metadata, id);

	if (!volume_key || digest < 0 || luks2_keyslot_opens_data(header->metadata, id))
		return bound_key(header, volume_key, key, err);
	*key = volume_key;
	return luks2_digest_verify(header->metadata, digest, volume_key, err);
}

/* After another process has changed the header: is it still this volume's? */
static enum mortise_code begin_again(struct mortise_luks2 *header,
				     const struct mortise_keyslot_new *what,
				     const struct mortise_secret *key, struct luks2_update *update,
				     struct mortise_error *err)
{
	char uuid[sizeof(header->binary.uuid)];
	enum mortise_code code = luks2_device_lock(header->device, true, err);

	if (code)
		return code;
	memcpy(uuid, header->binary.uuid, sizeof(uuid));
	code = luks2_header_read_again(header, err);
	if (!code && strcmp(uuid, header->binary.uuid))
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s holds another volume now than when it was read; run again",
				 header->device->path);
	if (!code)
		code = luks2_usable(header->metadata, err);
	if (!code && !what->unbound)
		code = luks2_digest_verify(header->metadata,
					   luks2_digest_of_segment(header->metadata, 0), key, err);
	if (!code)
		code = luks2_update_begin(header, update, err);
	luks2_device_unlock(header->device);
	return code;
}

/*
 * A new keyslot disturbs no other one, so that somebody else's update meanwhile is no reason
 * to give up. Without locks it is: nothing would keep the two apart.
 */
static enum mortise_code begin_add(struct mortise_luks2 *header,
				   const struct mortise_keyslot_new *what,
				   const struct mortise_secret *key, struct luks2_update *update,
				   struct mortise_error *err)
{
	enum mortise_code code = luks2_update_begin(header, update, err);

	if (code == MORTISE_E_CHANGED && header->device->locking)
		code = begin_again(header, what, key, update, err);
	return code;
}

static enum mortise_code stage_and_commit(struct luks2_update *update,
					  struct luks2_keyslot_stage *stage, int *id,
					  struct mortise_error *err)
{
	const char *hash = stage->what->hash ? stage->what->hash : "sha256";
	enum mortise_code code = MORTISE_OK;

	if (stage->what->unbound)
		code = luks2_digest_add(update->metadata, hash,
					stage->what->unbound_key ? 0 : LUKS2_DIGEST_ITERATIONS_MIN,
					stage->key, &stage->digest, err);
	else
		stage->digest = luks2_digest_of_segment(update->metadata, 0);
	if (!code)
		code = luks2_keyslot_stage(update, stage, id, err);
	if (code) {
		luks2_update_abort(update);
		return code;
	}
	luks2_format_finish(update);
	return luks2_update_commit(update, err);
}

enum mortise_code mortise_keyslot_add(struct mortise_luks2 *header,
				      const struct mortise_keyslot_new *what,
				      const struct mortise_secret *passphrase,
				      const struct mortise_secret *volume_key, int *added,
				      struct mortise_error *err)
{
	struct mortise_keyslot_new wanted;
	struct luks2_keyslot_stage stage = { .what = &wanted, .passphrase = passphrase };
	struct mortise_secret *made = NULL;
	struct luks2_update update;
	struct mortise_kdf kdf;
	enum mortise_code code = sized_input(SIZED(mortise_keyslot_new), &wanted, what, err);
	int id = wanted.keyslot;

	if (!code)
		code = luks2_usable(header->metadata, err);
	if (!code)
		code = wanted.unbound ? unbound_key(&wanted, &made, &stage.key, err)
				      : bound_key(header, volume_key, &stage.key, err);
	if (!code)
		code = luks2_keyslot_cost(header, &wanted, &kdf, err);
	stage.kdf = &kdf;
	if (!code)
		code = begin_add(header, &wanted, stage.key, &update, err);
	if (!code)
		code = stage_and_commit(&update, &stage, &id, err);
	if (!code && added)
		*added = id;
	mortise_secret_free(&made);
	return code;
}

static void carry_priority(struct json_object *keyslots, int id, struct json_object *priority)
{
	struct json_object *keyslot = luks2_json_get_id(keyslots, id);

	if (priority && keyslot)
		luks2_json_add(keyslot, "priority", json_object_get(priority));
}

enum mortise_code mortise_keyslot_change(struct mortise_luks2 *header, int id,
					 const struct mortise_keyslot_new *what,
					 const struct mortise_secret *passphrase,
					 const struct mortise_secret *volume_key,
					 struct mortise_error *err)
{
	struct mortise_keyslot_new wanted;
	struct luks2_keyslot_stage stage = { .what = &wanted, .passphrase = passphrase };
	struct json_object *keyslots, *priority;
	struct luks2_update update;
	struct mortise_kdf kdf;
	enum mortise_code code = sized_input(SIZED(mortise_keyslot_new), &wanted, what, err);

	if (!code)
		code = luks2_usable(header->metadata, err);
	if (!code)
		code = key_of_keyslot(header, id, volume_key, &stage.key, err);
	if (!code)
		code = luks2_keyslot_cost(header, &wanted, &kdf, err);
	stage.kdf = &kdf;
	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	keyslots = luks2_json_get(update.metadata, "keyslots", json_type_object);
	priority = json_object_get(
		luks2_json_get(luks2_json_get_id(keyslots, id), "priority", json_type_int));
	stage.digest = luks2_digest_of_keyslot(update.metadata, id);
	code = luks2_keyslot_unstage(&update, id, false, err);
	if (!code)
		code = luks2_keyslot_stage(&update, &stage, &id, err);
	if (!code)
		carry_priority(keyslots, id, priority);
	json_object_put(priority);
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_keyslot_remove(struct mortise_luks2 *header, int id,
					 struct mortise_error *err)
{
	struct luks2_update update;
	enum mortise_code code = luks2_usable(header->metadata, err);

	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	code = luks2_keyslot_unstage(&update, id, true, err);
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_keyslot_remove_all(struct mortise_luks2 *header,
					     struct mortise_error *err)
{
	enum mortise_code code = luks2_usable(header->metadata, err);

	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (luks2_keyslot_opens_data(header->metadata, id))
			code = mortise_keyslot_remove(header, id, err);
	return code;
}

enum mortise_code mortise_keyslot_set_priority(struct mortise_luks2 *header, int id,
					       enum mortise_priority priority,
					       struct mortise_error *err)
{
	struct json_object *keyslots, *keyslot;
	struct luks2_update update;
	enum mortise_code code = luks2_usable(header->metadata, err);

	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	keyslots = luks2_json_get(update.metadata, "keyslots", json_type_object);
	keyslot = luks2_json_get_id(keyslots, id);
	if (!keyslot) {
		code = error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.", id);
	} else if (priority == MORTISE_PRIORITY_NORMAL) {
		json_object_object_del(keyslot, "priority");
	} else if (!luks2_json_add(keyslot, "priority", json_object_new_int((int)priority))) {
		code = error_memory(err);
	}
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	return luks2_update_commit(&update, err);
}

unsigned mortise_keyslot_others(const struct mortise_luks2 *header, int id)
{
	unsigned count = 0;

	for (int other = 0; other < (int)MORTISE_KEYSLOTS_MAX; other++)
		count += other != id && luks2_keyslot_opens_data(header->metadata, other);
	return count;
}
