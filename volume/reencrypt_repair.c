/* SPDX-License-Identifier: MIT */
/* Changing how a reencryption is protected, and repairing one. */
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "keys/hash.h"
#include "volume/header_place.h"
#include "volume/reencrypt.h"

static enum mortise_code protect(struct continuation *run, const struct luks2_reencryption *state,
				 struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = luks2_update_begin(run->header, &update, err);

	if (code)
		return code;
	code = luks2_reencryption_protect(update, state, run->old_key, run->new_key, err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code ? code
		    : luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, err);
}

/* A shift needs no other protection, and data that stays in its place has no shift. */
static enum mortise_code choose_guard(const struct mortise_reencrypt_run *how,
				      struct luks2_reencryption *next, struct mortise_error *err)
{
	const struct luks2_reencryption old = *next;

	if (!luks2_resilience_parse(how->resilience, next))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported resilience mode %.40s",
				 how->resilience);
	if ((next->guard == LUKS2_GUARD_SHIFT) != (old.guard == LUKS2_GUARD_SHIFT) ||
	    (next->moved_guard == LUKS2_GUARD_SHIFT) != (old.moved_guard == LUKS2_GUARD_SHIFT))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Requested --resilience option cannot be applied to current "
				 "reencryption operation.");
	if (next->guard != LUKS2_GUARD_CHECKSUM && next->moved_guard != LUKS2_GUARD_CHECKSUM)
		return MORTISE_OK;
	if (how->resilience_hash)
		next->hash = how->resilience_hash;
	else if (!next->hash)
		next->hash = "sha256";
	return keys_hash_size(next->hash)
		       ? MORTISE_OK
		       : error_set(err, MORTISE_E_UNSUPPORTED, 0,
				   "Hash algorithm %.40s not supported.", next->hash);
}

enum mortise_code reencrypt_change_guard(struct continuation *run,
					 const struct mortise_reencrypt_run *how, bool *changed,
					 struct mortise_error *err)
{
	struct luks2_reencryption next = run->state;
	enum mortise_code code = how->resilience ? choose_guard(how, &next, err) : MORTISE_OK;

	*changed = false;
	if (code || (next.resilience == run->state.resilience &&
		     (next.hash == run->state.hash || !strcmp(next.hash, run->state.hash))))
		return code;
	/* The old protection restores the zone. */
	code = reencrypt_recover(run, err);
	if (code || run->state.finished)
		return code;
	if (run->state.moved_size > hotzone_guarded(&next, next.moved_guard))
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "the area of keyslot %d is too small for --resilience %s",
				 next.keyslot, next.resilience);
	*changed = true;
	return protect(run, &next, err);
}

enum mortise_code reencrypt_choose_size(struct luks2_reencryption *state, uint64_t size,
					struct mortise_error *err)
{
	if (!size || size == state->fixed_size)
		return MORTISE_OK;
	if (state->fixed_size || !state->whole || state->moved_size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot change the size of data in reencryption to %llu bytes",
				 (unsigned long long)size);
	state->fixed_size = size;
	return MORTISE_OK;
}

/* Takes the lock, and reads the state, also of metadata without a digest. */
static enum mortise_code lock(struct continuation *run, struct mortise_error *err)
{
	struct json_object *metadata;
	enum mortise_code code =
		luks2_reencrypt_lock(luks2_header_device(run->header),
				     luks2_header_uuid(run->header), &run->lock_fd, err);

	if (!code)
		code = luks2_header_read_again(run->header, err);
	if (code)
		return code;
	metadata = luks2_header_metadata(run->header);
	code = luks2_reencryption_get_unprotected(metadata, &run->state, err);
	run->unprotected = !code;
	if (code == MORTISE_E_USAGE)
		code = luks2_reencryption_get(metadata, &run->state, err);
	return code || run->unprotected ? code : header_place_complete(run->header, err);
}

enum mortise_code mortise_reencrypt_repair(struct mortise_luks2 *header,
					   const struct mortise_secret *passphrase, int keyslot,
					   struct mortise_error *err)
{
	struct continuation run = { .header = header, .lock_fd = -1 };
	enum mortise_code code = lock(&run, err);

	if (!code)
		code = reencrypt_open_keys(&run, passphrase, keyslot, NULL, err);
	if (!code && run.unprotected) {
		const struct luks2_reencryption found = run.state;

		code = protect(&run, &found, err);
	}
	if (!code && run.state.interrupted) {
		code = hotzone_open(header, &run.state, run.old_key, reencrypt_key_after(&run),
				    false, &run.hotzone, err);
		if (!code)
			code = reencrypt_recover(&run, err);
		if (!code && run.state.finished)
			code = reencrypt_end(&run, err);
	}
	reencrypt_close(&run);
	return code;
}
