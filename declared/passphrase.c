/* SPDX-License-Identifier: MIT */
/* The passphrase of a declared key: getting that of an existing keyslot, or making a new one. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "config/salt.h"
#include "declared/declared.h"
#include "declared/measure.h"
#include "declared/trust.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt.h"
#include "volume/record.h"

_Static_assert(CONFIG_SALT_SIZE == KEYS_STATE_SALT_SIZE, "keys are locked to the salt in STATE");

uint32_t volume_key_pcrs(const struct config_key *key)
{
	uint32_t pcrs = 0;

	for (size_t i = 0; i < key->tpm_pcr_count; i++)
		pcrs |= UINT32_C(1) << key->tpm_pcrs[i];
	return pcrs;
}

static struct tpm_seal_options get_seal_options(const struct config_key *key)
{
	return (struct tpm_seal_options){
		.keyslot = (int)key->slot,
		.pcrs = volume_key_pcrs(key),
		.check_secureboot = key->tpm_check_secureboot,
	};
}

/* Nothing is sent to a KMS that is not trusted. */
static enum mortise_code check_kms(const struct volume_run *run, const struct config_key *key,
				   struct mortise_error *err)
{
	if (key->kind != CONFIG_KEY_KMS)
		return MORTISE_OK;
	return volume_trust_check_kms(run->trust, key->kms_endpoint, run->open_only, err);
}

/* A key that is bound to PCR 15 waits until STATE is open. */
static enum mortise_code check_identity(const struct volume_run *run,
					const struct config_volume *volume, int keyslot,
					struct json_object *metadata, struct mortise_error *err)
{
	struct keys_tpm_object object;
	enum mortise_code code;

	code = volume_token_binding(metadata, keyslot, &object, err);
	return code ? code : volume_measure_check(run, volume, object.pcrs, err);
}

static enum mortise_code make_with_tpm(const struct volume_run *run,
				       const struct config_volume *volume,
				       const struct config_key *key, struct volume_key *made,
				       struct mortise_error *err)
{
	struct tpm_seal_options seal = get_seal_options(key);
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code = volume_measure_check(run, volume, seal.pcrs, err);

	if (!code)
		code = volume_measure_predict(volume, value, err);
	seal.pcr_15 = value;
	return code ? code : volume_tpm_new(&run->sources, &seal, made, err);
}

static enum mortise_code derive_node_id(const struct mortise_key_sources *sources,
					const struct config_volume *volume,
					struct mortise_secret **out, struct mortise_error *err)
{
	char uuid[VOLUME_NODE_UUID_ROOM];
	enum mortise_code code = volume_node_uuid(sources, uuid, err);

	return code ? code : keys_node_id(uuid, volume->id, out, err);
}

/* Gets the passphrase without its lock to STATE. */
static enum mortise_code get_unlocked(const struct mortise_key_sources *sources,
				      const struct config_volume *volume,
				      const struct config_key *key, struct json_object *metadata,
				      struct mortise_secret **out, struct mortise_error *err)
{
	switch (key->kind) {
	case CONFIG_KEY_STATIC:
		return mortise_secret_from(mortise_secret_data(key->passphrase),
					   mortise_secret_size(key->passphrase), out, err);
	case CONFIG_KEY_NODE_ID:
		return derive_node_id(sources, volume, out, err);
	case CONFIG_KEY_KMS:
		return volume_kms_get(sources, key->kms_endpoint, metadata, (int)key->slot, out,
				      err);
	case CONFIG_KEY_TPM:
		return volume_tpm_get(sources, metadata, (int)key->slot, out, err);
	}
	return error_set(err, MORTISE_E_CONFIG, 0, "unknown kind of key");
}

/* Makes a passphrase without its lock to STATE. */
static enum mortise_code make_unlocked(struct volume_run *run, const struct config_volume *volume,
				       const struct config_key *key, struct volume_key *made,
				       struct mortise_error *err)
{
	struct mortise_key_sources sources = run->sources;

	switch (key->kind) {
	case CONFIG_KEY_KMS:
		sources.kms_timeout_ms = volume_kms_timeout(run);
		return volume_kms_new(&sources, key->kms_endpoint, made, err);
	case CONFIG_KEY_TPM:
		return make_with_tpm(run, volume, key, made, err);
	case CONFIG_KEY_STATIC:
	case CONFIG_KEY_NODE_ID:
		break;
	}
	return get_unlocked(&run->sources, volume, key, NULL, &made->passphrase, err);
}

enum mortise_code volume_state_salt(const struct volume_run *run,
				    uint8_t salt[static KEYS_STATE_SALT_SIZE],
				    struct mortise_error *err)
{
	static const char state_default[] = "/system/state";
	char path[VOLUME_PATH_MAX] = "";
	enum mortise_code code;

	for (size_t i = 0; i < run->config->volume_count; i++)
		if (!strcmp(run->config->volumes[i].id, CONFIG_STATE))
			volume_mount_path(run, &run->config->volumes[i], path);
	if (!*path)
		snprintf(path, sizeof(path), "%s%s", run->options->root ? run->options->root : "",
			 state_default);
	code = config_salt_read(run->options->root, path, salt, err);
	if (code == MORTISE_E_WAIT)
		error_set(err, code, 0,
			  "locked to STATE, and STATE is not available yet (%s has no %s)", path,
			  CONFIG_SALT_FILE);
	return code;
}

/* Replaces *passphrase by the passphrase that is locked to STATE. */
static enum mortise_code lock_passphrase(struct mortise_secret **passphrase,
					 const uint8_t salt[static CONFIG_SALT_SIZE],
					 struct mortise_error *err)
{
	struct mortise_secret *unlocked = *passphrase;
	enum mortise_code code;

	*passphrase = NULL;
	code = keys_lock_to_state(unlocked, salt, passphrase, err);
	mortise_secret_free(&unlocked);
	return code;
}

static enum mortise_code get_key(struct volume_run *run, struct mortise_key_sources sources,
				 const struct config_volume *volume, const struct config_key *key,
				 struct json_object *metadata, struct mortise_secret **out,
				 struct mortise_error *err)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	enum mortise_code code = check_kms(run, key, err);

	/* First the salt: without it there is no need to contact a KMS or TPM. */
	if (!code && key->lock_to_state)
		code = volume_state_salt(run, salt, err);
	if (!code && key->kind == CONFIG_KEY_TPM)
		code = check_identity(run, volume, (int)key->slot, metadata, err);
	if (code)
		goto out;
	sources.kms_timeout_ms = volume_kms_timeout(run);
	code = get_unlocked(&sources, volume, key, metadata, out, err);
	if (!code && key->lock_to_state)
		code = lock_passphrase(out, salt, err);
out:
	secret_wipe(salt, sizeof(salt));
	return code;
}

enum mortise_code volume_key_get(struct volume_run *run, const struct config_volume *volume,
				 const struct config_key *key, struct json_object *metadata,
				 struct mortise_secret **out, struct mortise_error *err)
{
	return get_key(run, run->sources, volume, key, metadata, out, err);
}

enum mortise_code volume_key_get_by_meta(struct volume_run *run, const struct config_volume *volume,
					 const struct config_key *key, struct json_object *metadata,
					 struct mortise_secret **out, struct mortise_error *err)
{
	struct mortise_key_sources sources = run->sources;

	sources.node_uuid = run->meta_uuid;
	return get_key(run, sources, volume, key, metadata, out, err);
}

enum mortise_code volume_key_check(const struct volume_run *run, const struct config_volume *volume,
				   const struct config_key *key, struct mortise_error *err)
{
	const struct tpm_seal_options seal = get_seal_options(key);
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_secret *passphrase = NULL;
	enum mortise_code code = check_kms(run, key, err);

	if (!code && key->lock_to_state)
		code = volume_state_salt(run, salt, err);
	secret_wipe(salt, sizeof(salt));
	if (code)
		return code;
	switch (key->kind) {
	case CONFIG_KEY_KMS:
		return volume_kms_check(&run->sources, key->kms_endpoint, err);
	case CONFIG_KEY_TPM:
		code = volume_measure_check(run, volume, seal.pcrs, err);
		return code ? code : volume_tpm_check(&seal, err);
	case CONFIG_KEY_NODE_ID:
		code = derive_node_id(&run->sources, volume, &passphrase, err);
		mortise_secret_free(&passphrase);
		break;
	case CONFIG_KEY_STATIC:
		break;
	}
	return code;
}

enum mortise_code volume_key_new(struct volume_run *run, const struct config_volume *volume,
				 const struct config_key *key, struct volume_key *made,
				 struct mortise_error *err)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	enum mortise_code code = check_kms(run, key, err);

	memset(made, 0, sizeof(*made));
	if (!code && key->lock_to_state)
		code = volume_state_salt(run, salt, err);
	if (code)
		goto out;
	code = make_unlocked(run, volume, key, made, err);
	if (!code && key->lock_to_state)
		code = lock_passphrase(&made->passphrase, salt, err);
	if (code)
		volume_key_clear(made);
out:
	secret_wipe(salt, sizeof(salt));
	return code;
}

/* The definition of a kms key: endpoint, token and salt, none of which is secret by itself. */
static enum mortise_code describe_kms_key(const struct volume_run *run,
					  const struct config_key *key,
					  struct json_object *metadata, struct mortise_secret **out,
					  struct mortise_error *err)
{
	const char *token = luks2_json_plain(luks2_token_get(metadata, (int)key->slot));
	size_t endpoint_size = strlen(key->kms_endpoint) + 1;
	size_t token_size = token ? strlen(token) + 1 : 0;
	uint8_t salt[CONFIG_SALT_SIZE] = { 0 };
	enum mortise_code code = MORTISE_OK;
	uint8_t *bytes;

	if (key->lock_to_state)
		code = volume_state_salt(run, salt, err);
	if (code)
		goto out;
	code = mortise_secret_new(endpoint_size + token_size + sizeof(salt), out, err);
	if (code)
		goto out;
	bytes = mortise_secret_writable(*out);
	memcpy(bytes, key->kms_endpoint, endpoint_size);
	if (token)
		memcpy(bytes + endpoint_size, token, token_size);
	memcpy(bytes + endpoint_size + token_size, salt, sizeof(salt));
out:
	secret_wipe(salt, sizeof(salt));
	return code;
}

/* A static passphrase can be weak. Only the volume's lock to STATE has put a salt into it. */
static bool needs_salt(const struct config_volume *volume, const struct config_key *key)
{
	/* META holds the static passphrases of STATE in clear text. */
	return key->kind == CONFIG_KEY_STATIC && !key->lock_to_state && !volume_is_state(volume);
}

/* The passphrase, followed by the salt of STATE. */
static enum mortise_code add_salt(const struct volume_run *run,
				  const struct mortise_secret *passphrase,
				  struct mortise_secret **out, struct mortise_error *err)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	enum mortise_code code = volume_state_salt(run, salt, err);

	if (!code)
		code = keys_lock_to_state(passphrase, salt, out, err);
	secret_wipe(salt, sizeof(salt));
	return code;
}

enum mortise_code volume_key_fingerprint(const struct volume_run *run, const struct config_key *key,
					 struct json_object *metadata,
					 const struct volume_fingerprint_keys *keys,
					 uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
					 struct mortise_error *err)
{
	struct volume_origin origin = {
		.keyslot = (int)key->slot,
		.is_definition = key->kind == CONFIG_KEY_KMS,
		.bytes = keys->passphrase,
	};
	struct mortise_secret *definition = NULL;
	enum mortise_code code = MORTISE_OK;

	if (origin.is_definition)
		code = describe_kms_key(run, key, metadata, &definition, err);
	else if (needs_salt(keys->volume, key))
		code = add_salt(run, keys->passphrase, &definition, err);
	if (code)
		return code;
	if (definition)
		origin.bytes = definition;
	code = volume_fingerprint(metadata, &origin, keys->volume_key, fingerprint, err);
	mortise_secret_free(&definition);
	return code;
}

/*
 * During a reencryption, the declared keyslot may hold the key after it. The key before it, which
 * seals the header, has its keyslots elsewhere.
 */
static enum mortise_code open_keyslot(struct mortise_luks2 *header, int keyslot,
				      const struct mortise_secret *passphrase,
				      struct mortise_error *err)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = keyslot };
	struct json_object *metadata = luks2_header_metadata(header);
	struct mortise_secret *key = NULL;
	struct luks2_reencryption state;
	enum mortise_code code;

	if (!luks2_online_reencrypt_count(metadata))
		return mortise_keyslot_open(header, &search, passphrase, NULL, NULL, err);
	code = luks2_reencryption_get(metadata, &state, err);
	if (!code)
		code = luks2_keyslot_open_digest(
			header, state.before.digest < 0 ? state.after.digest : state.before.digest,
			MORTISE_ANY, passphrase, &key, NULL, err);
	if (!code)
		code = luks2_header_set_volume_key(header, key, err);
	mortise_secret_free(&key);
	return code;
}

enum mortise_code volume_try_keyslot(struct mortise_luks2 *header, int keyslot,
				     const struct mortise_secret *passphrase, bool *by_first_line,
				     struct mortise_error *err)
{
	const uint8_t *bytes = mortise_secret_data(passphrase), *newline;
	struct mortise_secret *line = NULL;
	struct mortise_error ignored;
	enum mortise_code code;

	*by_first_line = false;
	code = open_keyslot(header, keyslot, passphrase, err);
	newline = memchr(bytes, '\n', mortise_secret_size(passphrase));
	if (code != MORTISE_E_KEY || !newline)
		return code;
	/* Talos before 2026 added keys through a pipe that ended at the first newline. */
	if (mortise_secret_from(bytes, (size_t)(newline - bytes), &line, &ignored))
		return code;
	switch (open_keyslot(header, keyslot, line, &ignored)) {
	case MORTISE_OK:
		*by_first_line = true;
		code = MORTISE_OK;
		break;
	case MORTISE_E_CANCELED:
	case MORTISE_E_MEMORY:
		/* Whether this line opens the keyslot is unknown. */
		code = error_set(err, ignored.code, 0, "%s", ignored.text);
		break;
	default:
		break;
	}
	mortise_secret_free(&line);
	return code;
}
