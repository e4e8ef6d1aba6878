/* SPDX-License-Identifier: MIT */
/* Opening a volume in reencryption: a mapping with one target for each segment of the data. */
#include "base/error.h"
#include "volume/activate.h"
#include "volume/flags.h"
#include "volume/reencrypt.h"
#include "volume/table.h"

enum mortise_code mortise_reencrypt_unlock(struct mortise_luks2 *header,
					   const struct mortise_secret *passphrase, int keyslot,
					   struct mortise_secret **volume_key, int *opened,
					   struct mortise_error *err)
{
	struct continuation run = { .header = header, .lock_fd = -1 };
	enum mortise_code code =
		luks2_reencryption_get(luks2_header_metadata(header), &run.state, err);

	if (!code)
		code = reencrypt_open_keys(&run, passphrase, keyslot, opened, err);
	/* A cut while the encryption began has left a header without its keyslot areas. */
	if (code == MORTISE_E_KEY && run.state.whole && run.state.moved_size &&
	    !reencrypt_lock(&run, NULL))
		code = reencrypt_open_keys(&run, passphrase, keyslot, opened, err);
	if (!code && volume_key) {
		struct mortise_secret **first = run.old_key ? &run.old_key : &run.new_key;

		*volume_key = *first;
		*first = NULL;
	}
	reencrypt_close(&run);
	return code;
}

static enum mortise_code copy_key(const struct mortise_secret *key, struct mortise_secret **copy,
				  struct mortise_error *err)
{
	return mortise_secret_from(mortise_secret_data(key), mortise_secret_size(key), copy, err);
}

enum mortise_code reencrypt_take_keys(struct continuation *run, const struct mortise_secret *key,
				      struct mortise_error *err)
{
	const struct luks2_reencryption *state = &run->state;
	const struct mortise_secret *next = luks2_header_next_key(run->header);
	const bool two = state->before.digest >= 0 && state->after.digest >= 0 &&
			 state->before.digest != state->after.digest;
	enum mortise_code code;

	if (two && !next)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the volume is in reencryption and has two volume keys; open it "
				 "with a passphrase");
	code = copy_key(key, state->before.digest >= 0 ? &run->old_key : &run->new_key, err);
	if (!code && two)
		code = copy_key(next, &run->new_key, err);
	if (!code)
		code = luks2_reencryption_verify(run->header, state, run->old_key, run->new_key,
						 err);
	/* The seal of the updates. */
	return code ? code : luks2_header_set_volume_key(run->header, key, err);
}

/* The data before is not accessible until its interrupted zone is whole again. */
static enum mortise_code settle(struct continuation *run, struct mortise_error *err)
{
	enum mortise_code code;

	if (!run->state.interrupted)
		return MORTISE_OK;
	if (luks2_header_is_readonly(run->header))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot open %s: its reencryption was interrupted, and its header "
				 "may not be written to finish the zone",
				 luks2_header_data_path(run->header));
	code = hotzone_open(run->header, &run->state, run->old_key, reencrypt_key_after(run), false,
			    &run->hotzone, err);
	if (!code)
		code = reencrypt_recover(run, err);
	hotzone_close(run->hotzone);
	run->hotzone = NULL;
	if (code)
		error_prefix(err, "LUKS2 reencryption recovery failed");
	return code;
}

static enum mortise_code create_mapping(const struct continuation *run, const char *name,
					const struct volume_table *table, uint32_t flags,
					bool hidden, uint32_t *unknown, struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1];
	const struct dm_mapping_options options = { .uuid = uuid,
						    .readonly = flags & MORTISE_READONLY,
						    .hidden = hidden };
	struct dm_control *control = NULL;
	enum mortise_code code = dm_open(&control, err);

	volume_mapping_uuid(run->header, name, uuid);
	if (!code)
		code = dm_crypt_create(control, name, &options, table->part, unknown, err);
	*unknown = volume_flags_from_dm(*unknown);
	dm_close(control);
	return code;
}

static enum mortise_code activate(struct continuation *run, const char *name, uint32_t flags,
				  bool hidden, uint32_t *dropped, struct mortise_error *err)
{
	const uint32_t all = volume_flags_choose(run->header, flags);
	struct volume_table_source source = {
		.header = run->header,
		.state = &run->state,
		.old_key = run->old_key,
		.new_key = run->new_key,
		.dm_flags = volume_flags_to_dm(all),
		.no_keyring = all & MORTISE_NO_KEYRING,
	};
	struct volume_backing backing;
	struct volume_table table;
	uint32_t unknown = 0;
	enum mortise_code code = volume_backing_open(luks2_header_data_path(run->header),
						     flags & MORTISE_READONLY, &backing, err);

	if (code)
		return code;
	source.device = backing.path;
	source.device_size = backing.size;
	code = volume_table_build(&source, &table, err);
	if (!code)
		code = create_mapping(run, name, &table, all, hidden, &unknown, err);
	if (dropped)
		*dropped = unknown;
	if (!code)
		code = volume_flags_persist(run->header, name, all & ~unknown, err);
	volume_backing_close(&backing);
	return code;
}

/* Nothing is left to do, or another process has ended it: the volume has one key again. */
static enum mortise_code activate_ended(struct continuation *run, const char *name,
					const struct mortise_secret *volume_key, uint32_t flags,
					bool hidden, uint32_t *dropped, struct mortise_error *err)
{
	const struct mortise_secret *next = luks2_header_next_key(run->header);
	enum mortise_code code = mortise_volume_key_verify(run->header, volume_key, err);

	if (code == MORTISE_E_KEY && next)
		volume_key = next;
	return volume_activate(run->header, name, volume_key, flags, hidden, dropped, err);
}

enum mortise_code volume_reencrypt_activate(struct mortise_luks2 *header, const char *name,
					    const struct mortise_secret *volume_key, uint32_t flags,
					    bool hidden, uint32_t *dropped,
					    struct mortise_error *err)
{
	struct continuation run = { .header = header, .lock_fd = -1 };
	enum mortise_code code = reencrypt_lock(&run, err);
	bool ended = code == MORTISE_E_USAGE;

	if (code == MORTISE_E_BUSY)
		error_set(err, code, 0, "Reencryption in-progress. Cannot activate device.");
	if (!code)
		code = reencrypt_take_keys(&run, volume_key, err);
	if (!code)
		code = settle(&run, err);
	if (!code && run.state.finished) {
		code = reencrypt_end(&run, err);
		ended = !code;
	}
	if (!code && !ended)
		code = activate(&run, name, flags, hidden, dropped, err);
	reencrypt_close(&run);
	return ended ? activate_ended(&run, name, volume_key, flags, hidden, dropped, err) : code;
}
