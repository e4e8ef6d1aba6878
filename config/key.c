/* SPDX-License-Identifier: MIT */
/* An entry of "keys". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/volume.h"

/* The state of Secure Boot, and the identity of STATE. */
#define PCRS_DEFAULT (1u << 7 | 1u << 15)

/* The kinds first, so that an enum config_key_kind is a field's index. F_LOCK: Talos 1.11. */
enum {
	F_STATIC = CONFIG_KEY_STATIC,
	F_NODE_ID = CONFIG_KEY_NODE_ID,
	F_KMS = CONFIG_KEY_KMS,
	F_TPM = CONFIG_KEY_TPM,
	F_KINDS,
	F_SLOT = F_KINDS,
	F_LOCK,
	F_RECOVERY,
	F_COUNT,
};

static const char *const field_names[F_COUNT] = {
	[F_STATIC] = "static", [F_NODE_ID] = "nodeID",	 [F_KMS] = "kms",	    [F_TPM] = "tpm",
	[F_SLOT] = "slot",     [F_LOCK] = "lockToState", [F_RECOVERY] = "recovery",
};

/* Talos's guide has lockToSTATE, its decoder accepts lockToState only. */
static const struct config_schema schema = {
	.names = field_names,
	.count = F_COUNT,
	.alias = "lockToSTATE",
	.alias_of = F_LOCK,
};

static const struct config_schema machine_schema = { .names = field_names, .count = F_LOCK };

const char *config_key_kind_name(enum config_key_kind kind)
{
	return (unsigned)kind < F_KINDS ? field_names[kind] : "?";
}

static void read_static(struct config_log *log, const struct config_field *field,
			struct config_key *key)
{
	static const char *const names[] = { "passphrase" };
	static const struct config_schema of = {
		.names = names,
		.count = 1,
		.secret = true,
	};
	struct config_field passphrase;
	struct mortise_error err;
	size_t size;

	config_fields_read(log, field->value, &of, &passphrase);
	if (passphrase.value && passphrase.value->kind != CONFIG_SCALAR) {
		config_error(log, passphrase.value->position, "\"passphrase\" must be text, not %s",
			     config_node_kind_name(passphrase.value));
		return;
	}
	size = passphrase.value ? config_node_size(passphrase.value) : 0;
	if (size == 0) {
		config_error(log,
			     passphrase.key ? config_field_position(&passphrase)
					    : field->key->position,
			     "static passphrase is empty");
		return;
	}
	if (mortise_secret_from(config_node_text(passphrase.value), size, &key->passphrase, &err) !=
	    MORTISE_OK)
		log->out_of_memory = true;
}

static void read_empty(struct config_log *log, const struct config_field *field)
{
	static const struct config_schema of = { .count = 0 };
	struct config_field none;

	config_fields_read(log, field->value, &of, &none);
}

static void read_kms(struct config_log *log, const struct config_field *field,
		     struct config_key *key)
{
	static const char *const names[] = { "endpoint" };
	static const struct config_schema of = { .names = names, .count = 1 };
	struct config_field endpoint;
	const char *text = "";

	config_fields_read(log, field->value, &of, &endpoint);
	if (endpoint.value && !config_field_text(log, &endpoint, &text))
		return;
	if (*text)
		key->kms_endpoint = config_strdup(log, text);
	else
		config_error(log,
			     endpoint.key ? config_field_position(&endpoint) : field->key->position,
			     "kms endpoint is empty");
}

/* Stores the PCRs sorted and without repetitions: with another list the TPM never unseals. */
static void set_pcrs(struct config_key *key, uint32_t mask)
{
	key->tpm_pcr_count = 0;
	for (uint8_t pcr = 0; pcr < MORTISE_PCRS; pcr++)
		if (mask & 1u << pcr)
			key->tpm_pcrs[key->tpm_pcr_count++] = pcr;
}

static void read_tpm_options(struct config_log *log, const struct config_field *options,
			     struct config_key *key)
{
	static const char *const names[] = { "pcrs" };
	static const struct config_schema of = { .names = names, .count = 1 };
	struct config_field pcrs;
	uint32_t mask = 0;

	config_fields_read(log, options->value, &of, &pcrs);
	if (pcrs.value && !config_field_list(log, &pcrs))
		return;
	for (const struct config_node *item = pcrs.value ? pcrs.value->child : NULL; item;
	     item = item->next) {
		const struct config_field entry = { .name = "pcrs", .value = item };
		long long pcr;

		if (!config_field_number(log, &entry, &pcr))
			continue;
		if (pcr < 0 || pcr >= MORTISE_PCRS)
			config_error(log, item->position, "TPM PCR %lld is out of range (0-23)",
				     pcr);
		else
			mask |= 1u << pcr;
	}
	if (!pcrs.value || !pcrs.value->child)
		config_notice(log, options->key->position,
			      "no PCRs: the key is not bound to PCR 7, only to the signed PCR 11");
	set_pcrs(key, mask);
}

static void read_tpm(struct config_log *log, const struct config_field *field,
		     enum config_origin origin, struct config_key *key)
{
	static const char *const names[] = { "checkSecurebootStatusOnEnroll", "options" };
	const struct config_schema of = { .names = names,
					  .count = origin == CONFIG_ORIGIN_MACHINE ? 1 : 2 };
	struct config_field tpm[2] = { 0 };

	config_fields_read(log, field->value, &of, tpm);
	set_pcrs(key, PCRS_DEFAULT);
	config_field_bool(log, &tpm[0], &key->tpm_check_secureboot);
	key->tpm_pcrs_named = config_field_mapping(log, &tpm[1]);
	if (key->tpm_pcrs_named)
		read_tpm_options(log, &tpm[1], key);
}

/* Reads the fields of the key's kind. */
static void read_kind(struct config_log *log, const struct config_field *field,
		      enum config_origin origin, struct config_key *key)
{
	const struct config_field *of_kind = &field[key->kind];

	if (!config_field_mapping(log, of_kind))
		return;
	switch (key->kind) {
	case CONFIG_KEY_STATIC:
		read_static(log, of_kind, key);
		break;
	case CONFIG_KEY_NODE_ID:
		read_empty(log, of_kind);
		break;
	case CONFIG_KEY_KMS:
		read_kms(log, of_kind, key);
		break;
	case CONFIG_KEY_TPM:
		read_tpm(log, of_kind, origin, key);
		break;
	}
}

/* Where a key is declared, for the errors. */
struct key_context {
	enum config_origin origin;
	const char *volume;
	struct config_position item;
};

/* True if the slot is valid and unused. slots is the set of used slots. */
static bool check_slot(struct config_log *log, const struct key_context *of,
		       struct config_position position, long long slot, uint32_t *slots)
{
	if (slot < 0 || slot >= MORTISE_KEYSLOTS_MAX) {
		config_error(log, position, "key slot %lld is out of range (0-%u)", slot,
			     MORTISE_KEYSLOTS_MAX - 1);
		return false;
	}
	if (*slots & 1u << slot && of->origin == CONFIG_ORIGIN_MACHINE) {
		config_error(log, position,
			     "partition \"%s\": encryption key slot %lld is already in use",
			     of->volume, slot);
		return false;
	}
	if (*slots & 1u << slot) {
		config_error(log, position, "duplicate key slot %lld", slot);
		return false;
	}
	*slots |= 1u << slot;
	return true;
}

/* Talos silently uses the first of several kinds and ignores the others. */
static void check_kinds(struct config_log *log, const struct key_context *of,
			const struct config_field *field, long long slot)
{
	const char *first = NULL;
	char given[32] = ""; /* at most "static, nodeID, kms, tpm" */
	size_t count = 0, used = 0;

	for (size_t i = 0; i < F_KINDS; i++) {
		if (!field[i].value)
			continue;
		first = first ? first : field_names[i];
		used += (size_t)snprintf(given + used, sizeof(given) - used, "%s%s",
					 count++ ? ", " : "", field_names[i]);
	}
	if (count == 0 && of->origin == CONFIG_ORIGIN_MACHINE)
		config_error(log, of->item,
			     "partition \"%s\": encryption key at slot %lld doesn't have the "
			     "configuration parameters",
			     of->volume, slot);
	else if (count == 0)
		config_error(log, of->item,
			     "at least one encryption key type must be specified for slot %lld",
			     slot);
	else if (count > 1)
		config_error(log, of->item,
			     "slot %lld has several key types (%s), of which Talos uses only %s; "
			     "give each its own slot",
			     slot, given, first);
}

/* Keeps the keys sorted by slot. */
static void insert_key(struct config_volume *volume, struct config_key key)
{
	size_t i = volume->key_count++;

	for (; i > 0 && volume->keys[i - 1].slot > key.slot; i--)
		volume->keys[i] = volume->keys[i - 1];
	volume->keys[i] = key;
}

static void clear_key(struct config_key *key)
{
	mortise_secret_free(&key->passphrase);
	free(key->kms_endpoint);
}

/* A recovery key is random, and made by a command: its entry only reserves the keyslot. */
static void read_recovery(struct config_log *log, const struct config_field *field, long long slot,
			  struct config_volume *volume)
{
	if (!config_field_mapping(log, &field[F_RECOVERY]))
		return;
	read_empty(log, &field[F_RECOVERY]);
	for (size_t i = 0; i < F_KINDS; i++)
		if (field[i].value)
			config_error(log, field[i].key->position,
				     "slot %lld has a recovery key and a key of type %s; give each "
				     "its own slot",
				     slot, field_names[i]);
	if (field[F_LOCK].value)
		config_error(log, field[F_LOCK].key->position,
			     "a recovery key cannot be locked to STATE: it must open the volume "
			     "without STATE");
	if (slot >= 0 && slot < (long long)MORTISE_KEYSLOTS_MAX)
		volume->recovery_slots |= 1u << slot;
}

void config_key_read(struct config_log *log, const struct config_node *item,
		     enum config_origin origin, struct config_volume *volume, uint32_t *slots)
{
	const struct config_field entry = { .name = "entry of keys", .value = item };
	const struct key_context of = { origin, volume->name, item->position };
	struct config_field field[F_COUNT] = { 0 };
	struct config_position position = item->position;
	struct config_key key = { 0 };
	long long slot = 0;
	bool kept = false;

	if (!config_field_mapping(log, &entry))
		return;
	config_fields_read(log, item, origin == CONFIG_ORIGIN_MACHINE ? &machine_schema : &schema,
			   field);
	if (!field[F_SLOT].value)
		config_notice(log, position,
			      "key without slot: slot 0 is assumed; write \"slot: 0\"");
	else
		position = field[F_SLOT].value->position;
	if (!field[F_SLOT].value || config_field_number(log, &field[F_SLOT], &slot)) {
		kept = check_slot(log, &of, position, slot, slots);
		if (!field[F_RECOVERY].value)
			check_kinds(log, &of, field, slot);
	}
	if (field[F_RECOVERY].value) {
		read_recovery(log, field, slot, volume);
		return;
	}
	key.slot = kept ? (unsigned)slot : 0;
	while (key.kind < CONFIG_KEY_TPM && !field[key.kind].value)
		key.kind++;
	read_kind(log, field, origin, &key);
	config_field_bool(log, &field[F_LOCK], &key.lock_to_state);
	if (key.lock_to_state && volume->kind == CONFIG_VOLUME_SYSTEM &&
	    strcmp(volume->name, CONFIG_STATE) == 0)
		config_error(log, field[F_LOCK].key->position,
			     "state-locked key is not allowed for the \"" CONFIG_STATE "\" volume");
	if (kept)
		insert_key(volume, key);
	else
		clear_key(&key);
}
