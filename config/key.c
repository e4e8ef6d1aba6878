/* SPDX-License-Identifier: MIT */
/* One entry of "keys:": its slot, its kind, its lock to STATE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/volume.h"

/* The kinds first, so that an enum config_key_kind names its field; the last is new in Talos 1.11. */
enum {
	F_STATIC = CONFIG_KEY_STATIC,
	F_NODE_ID = CONFIG_KEY_NODE_ID,
	F_KMS = CONFIG_KEY_KMS,
	F_TPM = CONFIG_KEY_TPM,
	F_KINDS,
	F_SLOT = F_KINDS,
	F_LOCK,
	F_COUNT,
};

static const char *const field_names[F_COUNT] = {
	[F_STATIC] = "static", [F_NODE_ID] = "nodeID", [F_KMS] = "kms",
	[F_TPM] = "tpm",       [F_SLOT] = "slot",      [F_LOCK] = "lockToState",
};

/* Talos's guide writes lockToSTATE, its decoder takes lockToState only. */
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

static void static_read(struct config_log *log, const struct config_field *field,
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
	if (passphrase.value && passphrase.value->kind == CONFIG_REFUSED)
		return;
	if (passphrase.value && passphrase.value->kind != CONFIG_SCALAR) {
		config_error(log, passphrase.value->place, "\"passphrase\" must be text, not %s",
			     config_node_kind_name(passphrase.value));
		return;
	}
	size = passphrase.value ? config_node_size(passphrase.value) : 0;
	if (size == 0) {
		config_error(log,
			     passphrase.key ? config_field_place(&passphrase) : field->key->place,
			     "static passphrase is empty");
		return;
	}
	if (mortise_secret_from(config_node_text(passphrase.value), size, &key->passphrase, &err) !=
	    MORTISE_OK)
		log->no_memory = true;
}

static void node_id_read(struct config_log *log, const struct config_field *field)
{
	static const struct config_schema of = { .count = 0 };
	struct config_field none;

	config_fields_read(log, field->value, &of, &none);
}

static void kms_read(struct config_log *log, const struct config_field *field,
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
		key->kms_endpoint = config_copy(log, text);
	else
		config_error(log, endpoint.key ? config_field_place(&endpoint) : field->key->place,
			     "kms endpoint is empty");
}

/* A list from a set: sorted and without repetitions, else the TPM would never unseal. */
static void pcrs_set(struct config_key *key, uint32_t mask)
{
	key->tpm_pcr_count = 0;
	for (uint8_t pcr = 0; pcr < MORTISE_PCRS; pcr++)
		if (mask & 1u << pcr)
			key->tpm_pcrs[key->tpm_pcr_count++] = pcr;
}

static void tpm_options_read(struct config_log *log, const struct config_field *options,
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
			config_error(log, item->place, "TPM PCR %lld is out of range (0-23)", pcr);
		else
			mask |= 1u << pcr;
	}
	if (!pcrs.value || !pcrs.value->child)
		config_notice(log, options->key->place,
			      "no PCRs given: not even PCR 7 is bound, only the signed PCR 11");
	pcrs_set(key, mask);
}

static void tpm_read(struct config_log *log, const struct config_field *field,
		     enum config_form form, struct config_key *key)
{
	static const char *const names[] = { "checkSecurebootStatusOnEnroll", "options" };
	const struct config_schema of = { .names = names,
					  .count = form == CONFIG_FORM_MACHINE ? 1 : 2 };
	struct config_field tpm[2] = { 0 };

	config_fields_read(log, field->value, &of, tpm);
	pcrs_set(key, 1u << 7);
	config_field_bool(log, &tpm[0], &key->tpm_check_secureboot);
	if (config_field_mapping(log, &tpm[1]))
		tpm_options_read(log, &tpm[1], key);
}

/* Fills what belongs to the kind. */
static void kind_read(struct config_log *log, const struct config_field *field,
		      enum config_form form, struct config_key *key)
{
	const struct config_field *of_kind = &field[key->kind];

	if (!config_field_mapping(log, of_kind))
		return;
	switch (key->kind) {
	case CONFIG_KEY_STATIC:
		static_read(log, of_kind, key);
		break;
	case CONFIG_KEY_NODE_ID:
		node_id_read(log, of_kind);
		break;
	case CONFIG_KEY_KMS:
		kms_read(log, of_kind, key);
		break;
	case CONFIG_KEY_TPM:
		tpm_read(log, of_kind, form, key);
		break;
	}
}

/* A key's volume, and the words that Talos has for it there. */
struct key_place {
	enum config_form form;
	const char *volume;
	struct config_place item;
};

/* True when it is a slot that no key before has; slots is the set of those. */
static bool slot_check(struct config_log *log, const struct key_place *of,
		       struct config_place place, long long slot, uint32_t *slots)
{
	if (slot < 0 || slot >= MORTISE_KEYSLOTS_MAX) {
		config_error(log, place, "key slot %lld is out of range (0-%u)", slot,
			     MORTISE_KEYSLOTS_MAX - 1);
		return false;
	}
	if (*slots & 1u << slot && of->form == CONFIG_FORM_MACHINE) {
		config_error(log, place,
			     "partition \"%s\": encryption key slot %lld is already in use",
			     of->volume, slot);
		return false;
	}
	if (*slots & 1u << slot) {
		config_error(log, place, "duplicate key slot %lld", slot);
		return false;
	}
	*slots |= 1u << slot;
	return true;
}

/* Talos takes the first of several kinds in silence: the others would be a false safety. */
static void kinds_check(struct config_log *log, const struct key_place *of,
			const struct config_field *field, long long slot)
{
	const char *first = NULL;
	char given[32] = ""; /* "static, nodeID, kms, tpm" is the longest */
	size_t count = 0, used = 0;

	for (size_t i = 0; i < F_KINDS; i++) {
		if (!field[i].value)
			continue;
		first = first ? first : field_names[i];
		used += (size_t)snprintf(given + used, sizeof(given) - used, "%s%s",
					 count++ ? ", " : "", field_names[i]);
	}
	if (count == 0 && of->form == CONFIG_FORM_MACHINE)
		config_error(log, of->item,
			     "partition \"%s\": encryption key at slot %lld doesn't have the "
			     "configuration parameters",
			     of->volume, slot);
	else if (count == 0)
		config_error(log, of->item,
			     "at least one encryption key type must be specified for slot %lld",
			     slot);
	else if (count > 1)
		config_error(
			log, of->item,
			"slot %lld has several key types (%s), of which only %s would be used: "
			"give each a slot of its own",
			slot, given, first);
}

/* Keys stand in the order of their slots. */
static void key_insert(struct config_volume *volume, struct config_key key)
{
	size_t i = volume->key_count++;

	for (; i > 0 && volume->keys[i - 1].slot > key.slot; i--)
		volume->keys[i] = volume->keys[i - 1];
	volume->keys[i] = key;
}

static void key_clear(struct config_key *key)
{
	mortise_secret_free(&key->passphrase);
	free(key->kms_endpoint);
}

void config_key_read(struct config_log *log, const struct config_node *item, enum config_form form,
		     struct config_volume *volume, uint32_t *slots)
{
	const struct config_field entry = { .name = "entry of keys", .value = item };
	const struct key_place of = { form, volume->name, item->place };
	struct config_field field[F_COUNT] = { 0 };
	struct config_place place = item->place;
	struct config_key key = { 0 };
	long long slot = 0;
	bool kept = false;

	if (!config_field_mapping(log, &entry))
		return;
	config_fields_read(log, item, form == CONFIG_FORM_MACHINE ? &machine_schema : &schema,
			   field);
	if (!field[F_SLOT].value)
		config_notice(log, place, "key without slot: taken as slot 0; write \"slot: 0\"");
	else
		place = field[F_SLOT].value->place;
	if (!field[F_SLOT].value || config_field_number(log, &field[F_SLOT], &slot)) {
		kept = slot_check(log, &of, place, slot, slots);
		kinds_check(log, &of, field, slot);
	}
	key.slot = kept ? (unsigned)slot : 0;
	while (key.kind < CONFIG_KEY_TPM && !field[key.kind].value)
		key.kind++;
	kind_read(log, field, form, &key);
	config_field_bool(log, &field[F_LOCK], &key.lock_to_state);
	if (key.lock_to_state && volume->kind == CONFIG_VOLUME_SYSTEM &&
	    strcmp(volume->name, "STATE") == 0)
		config_error(log, field[F_LOCK].key->place,
			     "state-locked key is not allowed for the \"STATE\" volume");
	if (kept)
		key_insert(volume, key);
	else
		key_clear(&key);
}
