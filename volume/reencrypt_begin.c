/* SPDX-License-Identifier: MIT */
#include "volume/reencrypt_begin.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/sized.h"
#include "keys/hash.h"
#include "luks2/ciphers.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/token.h"
#include "volume/hotzone.h"
#include "volume/online.h"
#include "volume/sealed.h"

/* A shift has names of its own, which the format prescribes. */
static enum mortise_code choose_resilience(struct reencrypt_beginning *beginning,
					   struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	struct luks2_reencryption *next = &beginning->next;
	const char *name = what->resilience;

	if (!name && !beginning->shifts)
		name = "checksum";
	else if (!name || (beginning->shifts && what->mode == MORTISE_ENCRYPT))
		name = what->mode == MORTISE_ENCRYPT ? "datashift" : "datashift-checksum";
	if (!luks2_resilience_parse(name, next))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported resilience mode %.40s",
				 name);
	if ((next->guard == LUKS2_GUARD_SHIFT) != beginning->shifts ||
	    (what->mode == MORTISE_DECRYPT && next->moved_guard == LUKS2_GUARD_SHIFT))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "resilience mode %.40s is for data that %s", name,
				 beginning->shifts ? "stays in its place"
						   : "makes room for a header, or takes its place");
	if (next->guard != LUKS2_GUARD_CHECKSUM && next->moved_guard != LUKS2_GUARD_CHECKSUM)
		return MORTISE_OK;
	next->hash = what->resilience_hash ? what->resilience_hash : "sha256";
	if (!keys_hash_size(next->hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Hash algorithm %.40s not supported.", next->hash);
	return MORTISE_OK;
}

/* The data before and after. The segment of an encryption is the one after. */
static void choose_forms(struct reencrypt_beginning *beginning)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	const struct luks2_segment *now = &beginning->now;
	struct luks2_reencryption *next = &beginning->next;
	const struct luks2_form segment = { .offset = now->offset,
					    .iv_tweak = now->iv_tweak,
					    .cipher = now->cipher,
					    .sector_size = now->sector_size,
					    .digest = now->digest };
	const struct luks2_form plain = {
		.offset = now->offset - next->shift,
		.sector_size = 512,
		.digest = -1,
	};

	next->mode = what->mode;
	next->before = what->mode == MORTISE_ENCRYPT ? plain : segment;
	next->after = what->mode == MORTISE_DECRYPT ? plain : segment;
	if (what->mode != MORTISE_REENCRYPT)
		return;
	next->after.cipher = what->cipher ? what->cipher : now->cipher;
	next->after.sector_size = what->sector_size ? what->sector_size : now->sector_size;
}

static enum mortise_code fill_defaults(struct reencrypt_beginning *beginning,
				       struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	const struct luks2_segment *now = &beginning->now;
	struct luks2_reencryption *next = &beginning->next;

	if (beginning->shifts)
		next->shift = now->offset;
	choose_forms(beginning);
	if (next->after.sector_size < 512 || next->after.sector_size > 4096 ||
	    (next->after.sector_size & (next->after.sector_size - 1)))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported encryption sector size.");
	if (what->mode == MORTISE_REENCRYPT && what->keep_key &&
	    next->after.sector_size == now->sector_size && !strcmp(next->after.cipher, now->cipher))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "No data segment parameters changed. Reencryption aborted.");
	if (now->integrity.type)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Reencryption of device with integrity profile is not supported.");
	if (what->mode == MORTISE_DECRYPT && !beginning->shifts && now->offset)
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"LUKS2 decryption is supported with detached header device only (with data "
			"offset set to 0). After a decryption that was cut at its beginning, "
			"restore this header with luksHeaderRestore, remove the file and begin "
			"again.");
	return choose_resilience(beginning, err);
}

/* Opens the keyslots that get new ones; all hold the volume key. A new header knows it. */
static enum mortise_code open_old_key(struct mortise_luks2 *header,
				      struct reencrypt_beginning *beginning,
				      struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;

	beginning->old_key = luks2_header_volume_key(header);
	if (what->mode == MORTISE_ENCRYPT && beginning->old_key)
		return MORTISE_OK;
	if (!what->keyslot_count)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot re-encrypt without the passphrase of a keyslot");
	for (size_t i = 0; i < what->keyslot_count; i++) {
		const struct mortise_key_search search = { .struct_size = sizeof(search),
							   .keyslot = what->keyslots[i].keyslot };
		enum mortise_code code;

		mortise_secret_free(&beginning->opened);
		code = mortise_keyslot_open(header, &search, what->keyslots[i].passphrase,
					    &beginning->opened, NULL, err);
		if (code)
			return code;
	}
	beginning->old_key = beginning->opened;
	return MORTISE_OK;
}

/* The key after: NULL if it is the same one. */
static enum mortise_code choose_new_key(const struct mortise_luks2 *header,
					struct reencrypt_beginning *beginning,
					struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	const uint32_t old_size = (uint32_t)mortise_secret_size(beginning->old_key);
	const uint32_t size = what->key_size ? what->key_size : old_size;
	const char *cipher = beginning->next.after.cipher;
	enum mortise_code code = MORTISE_OK;

	if (what->mode == MORTISE_DECRYPT)
		return MORTISE_OK;
	if (what->mode == MORTISE_ENCRYPT || what->keep_key)
		return luks2_header_check_cipher(header, "the new data", cipher, old_size, err);
	code = luks2_header_check_cipher(header, "the new data", cipher, size, err);
	if (code)
		return code;
	if (what->volume_key && mortise_secret_size(what->volume_key) != size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the new volume key has %zu bytes, the cipher needs %u",
				 mortise_secret_size(what->volume_key), size);
	if (!what->volume_key)
		code = secret_random(size, &beginning->random, err);
	beginning->new_key = what->volume_key ? what->volume_key : beginning->random;
	if (!code && mortise_secret_equal(beginning->new_key, beginning->old_key))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "the new volume key is the present one; keep the key instead");
	return code;
}

/* A keyslot for the new key under a given passphrase. Without a description, it is like the old one. */
static enum mortise_code stage_keyslot(struct reencrypt_beginning *beginning, size_t i, int *id,
				       struct mortise_error *err)
{
	const struct mortise_reencrypt_keyslot *old = &beginning->what.keyslots[i];
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	struct mortise_keyslot_new like = beginning->keyslot;
	const struct luks2_keyslot_request request = {
		.what = &like,
		.kdf = beginning->what.keyslot ? &beginning->kdf : &info.kdf,
		.passphrase = old->passphrase,
		.key = beginning->new_key,
	};
	enum mortise_code code = mortise_keyslot_info(beginning->header, old->keyslot, &info, err);

	if (code)
		return code;
	if (!beginning->what.keyslot) {
		like.hash = info.af_hash;
		if (!luks2_cipher_check("", info.cipher, info.area_key_size, NULL, NULL)) {
			like.cipher = info.cipher;
			like.area_key_size = info.area_key_size;
		}
	}
	*id = MORTISE_ANY;
	return luks2_keyslot_stage_for(beginning->update, &request, beginning->next.after.digest,
				       id, err);
}

/*
 * Each new keyslot gets the tokens of its old one. If a token opens the keyslot of the same number, the new
 * keyslot gets this number.
 */
static enum mortise_code stage_keyslots(struct reencrypt_beginning *beginning,
					struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	struct luks2_update *update = beginning->update;
	struct json_object *metadata = luks2_update_metadata(update);
	int *digest = &beginning->next.after.digest;
	enum mortise_code code;

	code = luks2_digest_add(metadata, "sha256", LUKS2_DIGEST_ITERATIONS_MIN, beginning->new_key,
				NULL, digest, err);
	if (!code && beginning->stage)
		return beginning->stage(beginning->context, update, *digest, beginning->new_key,
					err);
	for (size_t i = 0; !code && i < what->keyslot_count; i++) {
		const int old = what->keyslots[i].keyslot;
		int id;

		code = stage_keyslot(beginning, i, &id, err);
		if (!code && (!luks2_tokens_link(metadata, old, id) ||
			      (volume_token_is_numbered(metadata, old) &&
			       !luks2_keyslots_exchange(metadata, old, id))))
			code = error_memory(err);
	}
	return code;
}

static enum mortise_code too_small(const struct luks2_device *data, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_NO_SPACE, 0, "Device %s is too small.", data->path);
}

/*
 * Sizes of data that moves. Encryption: the header takes the start of the device, and as much is
 * free at its end, where the data in its way waits until it is encrypted as the last zone.
 */
static enum mortise_code choose_moved(struct reencrypt_beginning *beginning,
				      const struct luks2_device *data, struct mortise_error *err)
{
	struct luks2_reencryption *next = &beginning->next;
	const uint64_t end = data->size - data->size % next->block_size;
	uint64_t size;

	if (next->mode == MORTISE_ENCRYPT) {
		if (end / 2 <= next->shift)
			return too_small(data, err);
		size = end - 2 * next->shift;
		next->backward = true;
		next->fixed_size = next->old_size = size;
		next->moved_size = size < next->shift ? size : next->shift;
		next->moved_offset = end - next->shift;
		return MORTISE_OK;
	}
	if (end <= next->shift)
		return too_small(data, err);
	size = next->fixed_size ? next->fixed_size : end - next->shift;
	next->moved_size = beginning->moved_size < size ? beginning->moved_size : size;
	next->moved_offset = next->after.offset;
	/* If all data is moved ahead, nothing is behind it. */
	if (next->moved_size == size)
		next->fixed_size = size;
	if (next->moved_size > next->shift)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Moved segment size can not be greater than data shift value.");
	return MORTISE_OK;
}

/* The unit of zones, of which no block of the device is written in part; and sizes. */
static enum mortise_code choose_sizes(const struct mortise_luks2 *header,
				      struct reencrypt_beginning *beginning,
				      struct mortise_error *err)
{
	struct luks2_reencryption *next = &beginning->next;
	struct luks2_device *data;
	enum mortise_code code =
		luks2_device_open(luks2_header_data_path(header), false, &data, err);

	if (code)
		return code;
	next->block_size = data->logical_block;
	if (next->block_size < next->before.sector_size)
		next->block_size = next->before.sector_size;
	if (next->block_size < next->after.sector_size)
		next->block_size = next->after.sector_size;
	next->old_size = next->mode == MORTISE_ENCRYPT || beginning->shifts
				 ? beginning->what.device_size
				 : beginning->now.size;
	next->fixed_size =
		beginning->what.device_size ? beginning->what.device_size : next->old_size;
	if (beginning->shifts && (next->shift % next->block_size))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "Data shift value is not aligned to encryption sector size "
				 "(%" PRIu32 " bytes).",
				 next->block_size);
	else if (beginning->shifts)
		code = choose_moved(beginning, data, err);
	if (!code && beginning->what.active_name)
		code = online_check(header, beginning->what.active_name, next->fixed_size,
				    beginning->what.mapped_only, err);
	else if (!code)
		code = luks2_device_unused(data, err);
	luks2_device_close(data);
	return code;
}

/*
 * A reencryption that has begun cannot be undone. So what would stop its first zone, such as a cipher
 * that the crypto library does not have, is found before it begins.
 */
static enum mortise_code rehearse(const struct mortise_luks2 *header,
				  const struct reencrypt_beginning *beginning,
				  struct mortise_error *err)
{
	struct hotzone *hotzone;
	enum mortise_code code =
		hotzone_open(header, &beginning->next, beginning->old_key,
			     beginning->new_key ? beginning->new_key : beginning->old_key,
			     beginning->what.active_name, &hotzone, err);

	if (!code)
		hotzone_close(hotzone);
	return code;
}

static enum mortise_code prepare(struct mortise_luks2 *header,
				 struct reencrypt_beginning *beginning, struct mortise_error *err)
{
	struct mortise_reencrypt_new *what = &beginning->what;
	struct json_object *metadata = luks2_header_metadata(header);
	enum mortise_code code = luks2_usable(metadata, err);

	if (!code)
		code = luks2_segment_get(metadata, &beginning->now, err);
	if (!code)
		code = fill_defaults(beginning, err);
	if (!code)
		code = choose_sizes(header, beginning, err);
	if (!code)
		code = open_old_key(header, beginning, err);
	if (!code && what->active_name)
		code = online_check_key(header, what->active_name, beginning->old_key, err);
	if (!code)
		code = choose_new_key(header, beginning, err);
	if (!code)
		code = rehearse(header, beginning, err);
	beginning->keyslot.keyslot = MORTISE_ANY;
	if (code || !beginning->new_key || !what->keyslot)
		return code;
	code = sized_input(SIZED_SINCE(mortise_keyslot_new, allow_cipher), &beginning->keyslot,
			   what->keyslot, err);
	return code ? code : luks2_keyslot_cost(header, &beginning->keyslot, &beginning->kdf, err);
}

/* What is staged is read as a later run reads it. */
static enum mortise_code check_staged(const struct reencrypt_beginning *beginning,
				      struct mortise_error *err)
{
	struct luks2_reencryption staged;
	enum mortise_code code =
		luks2_reencryption_get(luks2_update_metadata(beginning->update), &staged, err);

	if (code || staged.moved_size <= hotzone_guarded(&staged, staged.moved_guard))
		return code;
	return error_set(err, MORTISE_E_NO_SPACE, 0,
			 "Moved segment too large. Requested size %" PRIu64
			 ", available space for: %" PRIu64 ".",
			 staged.moved_size, hotzone_guarded(&staged, staged.moved_guard));
}

enum mortise_code reencrypt_stage(struct mortise_luks2 *header,
				  struct reencrypt_beginning *beginning, struct mortise_error *err)
{
	const bool encrypts = beginning->what.mode == MORTISE_ENCRYPT;
	enum mortise_code code = prepare(header, beginning, err);

	beginning->header = header;
	if (!code)
		code = luks2_update_begin(header, &beginning->update, err);
	if (!code && beginning->new_key)
		code = stage_keyslots(beginning, err);
	if (!code)
		code = luks2_reencryption_begin(
			beginning->update, &beginning->next, encrypts ? NULL : beginning->old_key,
			encrypts ? beginning->old_key : beginning->new_key, err);
	return code ? code : check_staged(beginning, err);
}

void reencrypt_beginning_clear(struct reencrypt_beginning *beginning)
{
	luks2_update_abort(&beginning->update);
	mortise_secret_free(&beginning->random);
	mortise_secret_free(&beginning->opened);
}

enum mortise_code mortise_reencrypt_begin(struct mortise_luks2 *header,
					  const struct mortise_reencrypt_new *what,
					  struct mortise_error *err)
{
	struct reencrypt_beginning beginning = { .shifts = false };
	enum mortise_code code;

	code = sized_input(SIZED(mortise_reencrypt_new), &beginning.what, what, err);
	if (!code)
		code = reencrypt_stage(header, &beginning, err);
	if (!code)
		code = luks2_update_commit(&beginning.update, err);
	reencrypt_beginning_clear(&beginning);
	return code;
}
