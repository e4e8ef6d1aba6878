/* SPDX-License-Identifier: MIT */
/* Sealed passphrases: 256 random bits, used as base64 text, as in Talos. */
#include "luks2/metadata.h"
#include "volume/sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/error.h"
#include "keys/sources/sources.h"
#include "base/secret.h"
#include "volume/extended_pcrs.h"
#include "volume/measured.h"
#include "volume/record.h"

#define KMS_DIR "/etc/mortise/kms/"
#define EFIVARS "/sys/firmware/efi/efivars"

const struct mortise_kdf volume_least_cost = {
	.type = MORTISE_KDF_ARGON2ID,
	.time = 4,
	.memory_kib = 32,
	.lanes = 1,
};

void volume_key_clear(struct volume_key *key)
{
	mortise_secret_free(&key->passphrase);
	json_object_put(key->token);
	json_object_put(key->pcr_values);
	memset(key, 0, sizeof(*key));
}

enum mortise_code volume_node_uuid(const struct mortise_key_sources *sources,
				   char uuid[static VOLUME_NODE_UUID_ROOM],
				   struct mortise_error *err)
{
	if (!sources->node_uuid)
		return keys_node_uuid_read(uuid, err);
	if (strlen(sources->node_uuid) >= VOLUME_NODE_UUID_ROOM)
		return error_set(err, MORTISE_E_USAGE, 0, "the node UUID is longer than %u bytes",
				 VOLUME_NODE_UUID_ROOM - 1);
	snprintf(uuid, VOLUME_NODE_UUID_ROOM, "%s", sources->node_uuid);
	return MORTISE_OK;
}

enum mortise_code volume_as_passphrase(const uint8_t *bytes, size_t size,
				       struct mortise_secret **passphrase,
				       struct mortise_error *err)
{
	const size_t room = BASE64_ROOM(size);
	enum mortise_code code = mortise_secret_new(room, passphrase, err);

	if (code)
		return code;
	base64_encode(bytes, size, (char *)mortise_secret_writable(*passphrase));
	mortise_secret_truncate(*passphrase, room - 1);
	return MORTISE_OK;
}

/* The given file, or else the file in the default place if it exists. */
static const char *kms_file(const char *named, const char *usual)
{
	if (named)
		return named;
	return access(usual, F_OK) ? NULL : usual;
}

const char *volume_kms_key_file(const struct mortise_key_sources *sources)
{
	return kms_file(sources ? sources->kms_key : NULL, KMS_DIR "key.pem");
}

static enum mortise_code kms_of(const struct mortise_key_sources *sources, const char *endpoint,
				char uuid[static VOLUME_NODE_UUID_ROOM], struct keys_kms *kms,
				struct mortise_error *err)
{
	*kms = (struct keys_kms){
		.endpoint = endpoint,
		.node_uuid = uuid,
		.events = sources->events,
		.timeout_ms = sources->kms_timeout_ms,
		.ca = kms_file(sources->kms_ca, KMS_DIR "ca.pem"),
		.cert = kms_file(sources->kms_cert, KMS_DIR "cert.pem"),
		.key = volume_kms_key_file(sources),
	};
	return volume_node_uuid(sources, uuid, err);
}

enum mortise_code volume_kms_check(const struct mortise_key_sources *sources, const char *endpoint,
				   struct mortise_error *err)
{
	const uint8_t nothing[KEYS_KMS_DATA_SIZE] = { 0 };
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	char uuid[VOLUME_NODE_UUID_ROOM];
	struct keys_kms kms;
	size_t size = 0;
	enum mortise_code code = kms_of(sources, endpoint, uuid, &kms, err);

	/* A build without KMS keys has a function that only says so. */
	return code || MORTISE_KMS ? code : keys_kms_seal(&kms, nothing, sealed, &size, err);
}

enum mortise_code volume_kms_new(const struct mortise_key_sources *sources, const char *endpoint,
				 struct volume_key *key, struct mortise_error *err)
{
	struct mortise_secret *bytes = NULL;
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	char uuid[VOLUME_NODE_UUID_ROOM];
	struct keys_kms kms;
	size_t size = 0;
	enum mortise_code code = kms_of(sources, endpoint, uuid, &kms, err);

	memset(key, 0, sizeof(*key));
	if (!code)
		code = secret_random(KEYS_KMS_DATA_SIZE, &bytes, err);
	if (!code)
		code = keys_kms_seal(&kms, mortise_secret_data(bytes), sealed, &size, err);
	if (!code)
		code = volume_as_passphrase(mortise_secret_data(bytes), KEYS_KMS_DATA_SIZE,
					    &key->passphrase, err);
	if (!code && !(key->token = volume_token_kms_new(sealed, size)))
		code = error_memory(err);
	if (code)
		volume_key_clear(key);
	mortise_secret_free(&bytes);
	return code;
}

enum mortise_code volume_kms_get(const struct mortise_key_sources *sources, const char *endpoint,
				 struct json_object *metadata, int id,
				 struct mortise_secret **passphrase, struct mortise_error *err)
{
	struct mortise_secret *bytes = NULL;
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	char uuid[VOLUME_NODE_UUID_ROOM];
	struct keys_kms kms;
	size_t size;
	enum mortise_code code =
		volume_token_kms_read(luks2_token_get(metadata, id), sealed, &size, err);

	if (!code)
		code = kms_of(sources, endpoint, uuid, &kms, err);
	if (!code)
		code = keys_kms_unseal(&kms, sealed, size, &bytes, err);
	if (!code)
		code = volume_as_passphrase(mortise_secret_data(bytes), mortise_secret_size(bytes),
					    passphrase, err);
	mortise_secret_free(&bytes);
	return code;
}

static void name_pcrs(uint32_t pcrs, char *text, size_t room)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (!(pcrs & UINT32_C(1) << pcr))
			continue;
		used += (size_t)snprintf(text + used, room - used, "%s%u", used ? ", " : "PCR ",
					 pcr);
	}
}

/* Tells a user that the key is bound to fewer PCRs than Talos would bind it to. */
static void note_binding(const struct tpm_seal_options *wish, const struct keys_tpm *tpm,
			 struct volume_key *key)
{
	char pcrs[128];

	name_pcrs(wish->pcrs, pcrs, sizeof(pcrs));
	if (!tpm->policy)
		snprintf(key->notice, sizeof(key->notice),
			 "keyslot %d (tpm) is bound to %s only: this machine has no signed policy "
			 "of PCR %u",
			 wish->keyslot, pcrs, KEYS_TPM_SIGNED_PCR);
}

/* A key sealed to the value of an extended PCR could not be unsealed at any boot. */
static enum mortise_code refuse_extended(uint32_t pcrs, struct mortise_error *err)
{
	const uint32_t closed = volume_extended_pcrs() & pcrs;
	char text[128];

	if (!closed)
		return MORTISE_OK;
	name_pcrs(closed, text, sizeof(text));
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "%s was extended in this boot by --extend-pcr; a key can be sealed to it "
			 "again at the next boot",
			 text);
}

enum mortise_code volume_tpm_check(const struct tpm_seal_options *wish, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	/* A build without TPM keys has a function that only says so. */
	if (wish->check_secureboot || !MORTISE_TPM)
		code = keys_secureboot_check(EFIVARS, err);
	return code ? code : refuse_extended(wish->pcrs, err);
}

static enum mortise_code make_token(const struct mortise_key_sources *sources,
				    const struct tpm_seal_options *wish,
				    const struct keys_tpm_object *object, struct volume_key *key,
				    struct mortise_error *err)
{
	struct volume_systemd token = { .object = *object };
	enum mortise_code code = MORTISE_OK;

	if (!wish->systemd) {
		key->token = volume_token_tpm_new(object, wish->keyslot);
		key->pcr_values = volume_record_pcr_values_new(object);
		return key->token && key->pcr_values ? MORTISE_OK : error_memory(err);
	}
	if (object->signed_policy) {
		token.signed_pcrs = UINT32_C(1) << KEYS_TPM_SIGNED_PCR;
		code = volume_signed_policy_pem(sources->tpm_policy, token.pem, &token.pem_size,
						err);
	}
	if (code)
		return code;
	key->token = volume_token_systemd_new(&token, wish->keyslot);
	return key->token ? MORTISE_OK : error_memory(err);
}

enum mortise_code volume_tpm_new(const struct mortise_key_sources *sources,
				 const struct tpm_seal_options *wish, struct volume_key *key,
				 struct mortise_error *err)
{
	struct keys_tpm_signed_policy *policy = NULL;
	struct keys_tpm tpm = { .tcti = sources->tcti, .events = sources->events };
	struct keys_tpm_binding binding = { .pcrs = wish->pcrs, .systemd = wish->systemd };
	struct mortise_secret *bytes = NULL, *pin = NULL;
	struct keys_tpm_object object;
	enum mortise_code code = volume_tpm_check(wish, err);

	memset(key, 0, sizeof(*key));
	if (!code)
		code = volume_signed_policy(sources->tpm_policy, &policy, err);
	tpm.policy = policy;
	if (wish->pcr_15) {
		binding.predicted = VOLUME_PCR_15;
		memcpy(binding.values[KEYS_TPM_IDENTITY_PCR], wish->pcr_15, KEYS_TPM_DIGEST_SIZE);
	}
	if (!code && wish->pin)
		code = volume_systemd_pin(wish->pin, NULL, 0, &pin, err);
	tpm.pin = pin;
	if (!code)
		code = secret_random(KEYS_TPM_SECRET_SIZE, &bytes, err);
	if (!code)
		code = keys_tpm_seal(&tpm, &binding, mortise_secret_data(bytes), &object, err);
	if (code)
		goto out;
	code = volume_as_passphrase(mortise_secret_data(bytes), KEYS_TPM_SECRET_SIZE,
				    &key->passphrase, err);
	if (!code)
		code = make_token(sources, wish, &object, key, err);
	note_binding(wish, &tpm, key);
	if (code)
		volume_key_clear(key);
out:
	mortise_secret_free(&bytes);
	mortise_secret_free(&pin);
	free(policy);
	return code;
}

/* If a PCR was extended on purpose, report that instead of a changed machine. */
static enum mortise_code explain_extended(const struct keys_tpm_object *object,
					  enum mortise_code code, struct mortise_error *err)
{
	enum mortise_code closed = MORTISE_OK;

	if (code == MORTISE_E_STALE)
		closed = refuse_extended(object->pcrs, err);
	else if (code == MORTISE_E_SOURCE && object->signed_policy)
		closed = refuse_extended(UINT32_C(1) << KEYS_TPM_SIGNED_PCR, err);
	return closed ? closed : code;
}

enum mortise_code volume_tpm_get(const struct mortise_key_sources *sources,
				 struct json_object *metadata, int id,
				 struct mortise_secret **passphrase, struct mortise_error *err)
{
	struct keys_tpm_signed_policy *policy = NULL;
	struct keys_tpm tpm = { .tcti = sources->tcti, .events = sources->events };
	struct mortise_secret *bytes = NULL;
	struct keys_tpm_object object;
	uint32_t changed;
	const int systemd = volume_token_systemd_of(metadata, id);
	enum mortise_code code = volume_token_tpm_read(luks2_token_get(metadata, id), &object,
						       systemd < 0 ? err : NULL);

	if (code && systemd >= 0)
		return volume_systemd_get(sources, metadata, systemd, passphrase, err);
	if (code)
		return code;
	volume_record_pcr_values(metadata, id, &object);
	/* keys_tpm_unseal() reports a missing policy. */
	if (object.signed_policy)
		code = volume_signed_policy(sources->tpm_policy, &policy, err);
	tpm.policy = policy;
	if (!code) {
		code = keys_tpm_unseal(&tpm, &object, &bytes, &changed, err);
		if (code == MORTISE_E_STALE && changed == VOLUME_PCR_15)
			code = volume_measured_explain(&object, err);
		code = explain_extended(&object, code, err);
	}
	if (!code)
		code = volume_as_passphrase(mortise_secret_data(bytes), mortise_secret_size(bytes),
					    passphrase, err);
	mortise_secret_free(&bytes);
	free(policy);
	return code;
}
