/* SPDX-License-Identifier: MIT */
/* From a declared key to the passphrase of its keyslot, and trying one. */
#include <stdio.h>
#include <string.h>

#include "keys/error.h"
#include "keys/secret.h"
#include "meta/salt.h"
#include "volume/plan.h"

_Static_assert(META_SALT_SIZE == KEYS_STATE_SALT_SIZE, "the salt in STATE is what keys lock to");

static enum mortise_code node_id(const struct volume_run *run, const struct meta_volume *volume,
				 struct mortise_secret **out, struct mortise_error *err)
{
	char uuid[MORTISE_UUID_LEN + 1];
	enum mortise_code code;

	if (run->options->node_uuid)
		return keys_node_id(run->options->node_uuid, volume->id, out, err);
	code = keys_node_uuid_read(uuid, err);
	return code ? code : keys_node_id(uuid, volume->id, out, err);
}

static enum mortise_code inner_passphrase(const struct volume_run *run,
					  const struct meta_volume *volume,
					  const struct meta_key *key, struct mortise_secret **out,
					  struct mortise_error *err)
{
	switch (key->kind) {
	case META_KEY_STATIC:
		return mortise_secret_from(mortise_secret_data(key->passphrase),
					   mortise_secret_size(key->passphrase), out, err);
	case META_KEY_NODE_ID:
		return node_id(run, volume, out, err);
	case META_KEY_KMS:
	case META_KEY_TPM:
		break;
	}
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "this version of mortise has no keys of kind %s",
			 meta_key_kind_name(key->kind));
}

static enum mortise_code state_salt(const struct volume_run *run,
				    uint8_t salt[static META_SALT_SIZE], struct mortise_error *err)
{
	static const char state_default[] = "/system/state";
	char path[VOLUME_PATH_MAX] = "";
	enum mortise_code code;

	for (size_t i = 0; i < run->config->volume_count; i++)
		if (!strcmp(run->config->volumes[i].id, "STATE"))
			volume_mount_path(run, &run->config->volumes[i], path);
	if (!*path)
		snprintf(path, sizeof(path), "%s%s", run->options->root ? run->options->root : "",
			 state_default);
	code = meta_salt_read(path, salt, err);
	if (code == MORTISE_E_WAIT)
		error_set(err, code, 0,
			  "locked to STATE, and STATE is not there yet (%s has no %s)", path,
			  META_SALT_FILE);
	return code;
}

enum mortise_code volume_key_passphrase(const struct volume_run *run,
					const struct meta_volume *volume,
					const struct meta_key *key, struct mortise_secret **out,
					struct mortise_error *err)
{
	struct mortise_secret *inner = NULL;
	uint8_t salt[META_SALT_SIZE];
	enum mortise_code code;

	code = inner_passphrase(run, volume, key, &inner, err);
	if (code || !key->lock_to_state) {
		*out = inner;
		return code;
	}
	code = state_salt(run, salt, err);
	if (!code)
		code = keys_lock_to_state(inner, salt, out, err);
	mortise_secret_free(inner);
	keys_wipe(salt, sizeof(salt));
	return code;
}

enum mortise_code volume_try_keyslot(struct mortise_luks2 *luks2, int keyslot,
				     const struct mortise_secret *passphrase,
				     struct mortise_secret **volume_key, bool *cut,
				     struct mortise_error *err)
{
	const struct mortise_key_search search = { .keyslot = keyslot };
	const uint8_t *bytes = mortise_secret_data(passphrase), *newline;
	struct mortise_secret *first_line = NULL;
	struct mortise_error ignored;
	enum mortise_code code;

	*cut = false;
	code = mortise_keyslot_open(luks2, &search, passphrase, volume_key, NULL, err);
	newline = memchr(bytes, '\n', mortise_secret_size(passphrase));
	if (code != MORTISE_E_KEY || !newline)
		return code;
	/* Talos before 2026 added keys through a pipe that ended at the first newline. */
	if (mortise_secret_from(bytes, (size_t)(newline - bytes), &first_line, &ignored))
		return code;
	if (!mortise_keyslot_open(luks2, &search, first_line, volume_key, NULL, &ignored)) {
		*cut = true;
		code = MORTISE_OK;
	}
	mortise_secret_free(first_line);
	return code;
}
