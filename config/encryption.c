/* SPDX-License-Identifier: MIT */
/* How a volume is encrypted: provider, cipher, sector size, options. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/volume.h"

enum {
	F_PROVIDER,
	F_KEYS,
	F_CIPHER,
	F_KEY_SIZE,
	F_BLOCK_SIZE,
	F_OPTIONS,
	F_ALLOW_DISCARDS,
	F_COUNT,
};

static const char *const field_names[F_COUNT] = {
	[F_PROVIDER] = "provider",
	[F_KEYS] = "keys",
	[F_CIPHER] = "cipher",
	[F_KEY_SIZE] = "keySize",
	[F_BLOCK_SIZE] = "blockSize",
	[F_OPTIONS] = "options",
	[F_ALLOW_DISCARDS] = "allowDiscards",
};

static const struct config_schema schema = { .names = field_names, .count = F_COUNT };
static const struct config_schema machine_schema = { .names = field_names,
						     .count = F_ALLOW_DISCARDS };

/* Sizes in bits, the default first; Adiantum has one only. */
static const struct cipher {
	const char *name;
	unsigned key_bits[2];
} ciphers[] = {
	{ "aes-xts-plain64", { 512, 256 } },
	{ "xchacha12,aes-adiantum-plain64", { 256 } },
	{ "xchacha20,aes-adiantum-plain64", { 256 } },
};

enum provider {
	PROVIDER_MISSING,
	PROVIDER_NONE,
	PROVIDER_LUKS2,
	PROVIDER_UNKNOWN,
};

/* To the older forms no text is the same as none at all. */
static enum provider provider_read(struct config_log *log, const struct config_field *field,
				   enum config_form form)
{
	const char *text;
	char shown[CONFIG_SHOW_ROOM];

	if (!field->value)
		return PROVIDER_MISSING;
	if (!config_field_text(log, field, &text))
		return PROVIDER_UNKNOWN;
	if (!*text && form != CONFIG_FORM_VOLUME)
		return PROVIDER_MISSING;
	if (strcasecmp(text, "luks2") == 0)
		return PROVIDER_LUKS2;
	if (strcasecmp(text, "none") == 0)
		return PROVIDER_NONE;
	config_error(log, field->value->place, "unsupported encryption provider: %s",
		     config_show(text, strlen(text), shown));
	return PROVIDER_UNKNOWN;
}

static bool none_given(const struct config_field *keys)
{
	return !keys->value || (keys->value->kind == CONFIG_LIST && !keys->value->child);
}

static void keys_read(struct config_log *log, const struct config_field *keys,
		      struct config_place missing, enum config_form form,
		      struct config_volume *volume)
{
	uint32_t slots = 0;

	if (none_given(keys) && form == CONFIG_FORM_MACHINE) {
		config_error(log, keys->key ? config_field_place(keys) : missing,
			     "partition \"%s\": no encryption keys provided", volume->name);
		return;
	}
	if (none_given(keys)) {
		config_error(log, keys->key ? config_field_place(keys) : missing,
			     "encryption keys are required");
		return;
	}
	if (!config_field_list(log, keys))
		return;
	volume->keys = calloc(MORTISE_KEYSLOTS_MAX, sizeof(*volume->keys));
	if (!volume->keys) {
		log->no_memory = true;
		return;
	}
	for (const struct config_node *item = keys->value->child; item; item = item->next)
		config_key_read(log, item, form, volume, &slots);
}

static const struct cipher *cipher_read(struct config_log *log, const struct config_field *field)
{
	const char *text = "";
	char shown[CONFIG_SHOW_ROOM];

	config_field_text(log, field, &text);
	if (!*text)
		return &ciphers[0];
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcmp(text, ciphers[i].name) == 0)
			return &ciphers[i];
	config_error(log, field->value->place, "unknown cipher kind %s; known are %s, %s and %s",
		     config_show(text, strlen(text), shown), ciphers[0].name, ciphers[1].name,
		     ciphers[2].name);
	return NULL;
}

static void cipher_choose(struct config_log *log, const struct config_field *field,
			  struct config_volume *volume)
{
	const struct cipher *cipher = cipher_read(log, &field[F_CIPHER]);
	long long bits = 0;

	config_field_number(log, &field[F_KEY_SIZE], &bits);
	if (!cipher)
		return;
	if (bits == 0)
		bits = cipher->key_bits[0];
	if (bits == cipher->key_bits[0] || bits == cipher->key_bits[1]) {
		volume->cipher = config_copy(log, cipher->name);
		volume->key_size = (uint32_t)bits / 8;
	} else if (cipher->key_bits[1]) {
		config_error(log, field[F_KEY_SIZE].value->place,
			     "keySize %lld does not fit cipher %s: %u or %u bits", bits,
			     cipher->name, cipher->key_bits[0], cipher->key_bits[1]);
	} else {
		config_error(log, field[F_KEY_SIZE].value->place,
			     "keySize %lld does not fit cipher %s: %u bits", bits, cipher->name,
			     cipher->key_bits[0]);
	}
}

static void block_size_read(struct config_log *log, const struct config_field *field,
			    struct config_volume *volume)
{
	long long size = 0;

	config_field_number(log, field, &size);
	if (size == 0 || size == 512 || size == 1024 || size == 2048 || size == 4096)
		volume->block_size = (uint32_t)size;
	else
		config_error(
			log, field->value->place,
			"blockSize %lld is no sector size: 512, 1024, 2048 or 4096 bytes, or 0 "
			"for what suits the device",
			size);
}

static void options_read(struct config_log *log, const struct config_field *field,
			 struct config_volume *volume)
{
	static const char *const names[] = {
		"no_read_workqueue",
		"no_write_workqueue",
		"same_cpu_crypt",
	};
	char shown[CONFIG_SHOW_ROOM];

	if (!config_field_list(log, field))
		return;
	for (const struct config_node *item = field->value->child; item; item = item->next) {
		const struct config_field option = { .name = "options", .value = item };
		const char *text;
		size_t i = 0;

		if (!config_field_text(log, &option, &text))
			continue;
		while (i < 3 && strcmp(text, names[i]) != 0)
			i++;
		if (i < 3)
			volume->perf |= 1u << i;
		else
			config_error(log, item->place,
				     "invalid perf option %s; known are %s, %s, %s",
				     config_show(text, strlen(text), shown), names[0], names[1],
				     names[2]);
	}
}

static bool any_given(const struct config_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (field[i].value)
			return true;
	return false;
}

/* A volume's document without a provider. */
static bool wanted_by_keys(struct config_log *log, const struct config_field *encryption,
			   const struct config_field *field)
{
	bool keys = field[F_KEYS].value;

	if (keys)
		config_notice(log, encryption->key->place,
			      "no provider given: taken as luks2; Talos wants "
			      "\"provider: luks2\" written");
	else if (any_given(field, F_COUNT))
		config_error(log, encryption->key->place,
			     "encryption has neither provider nor keys: the volume would stay in "
			     "plain; add them, or write \"provider: none\"");
	else
		config_notice(log, encryption->key->place,
			      "encryption is empty: the volume is not encrypted");
	return keys;
}

/*
 * Is the volume to be encrypted? Yes after an error too, so that the rest is checked as well.
 */
static bool wanted(struct config_log *log, const struct config_field *encryption,
		   const struct config_field *field, enum config_form form)
{
	switch (provider_read(log, &field[F_PROVIDER], form)) {
	case PROVIDER_NONE:
		if (none_given(&field[F_KEYS]) && form != CONFIG_FORM_MACHINE)
			return false;
		config_error(log, field[F_PROVIDER].value->place,
			     "unsupported encryption provider: none");
		return true;
	case PROVIDER_MISSING:
		return form != CONFIG_FORM_VOLUME || wanted_by_keys(log, encryption, field);
	case PROVIDER_LUKS2:
	case PROVIDER_UNKNOWN:
		break;
	}
	return true;
}

void config_encryption_read(struct config_log *log, const struct config_field *encryption,
			    enum config_form form, struct config_volume *volume)
{
	struct config_field field[F_COUNT] = { 0 };

	if (!config_field_mapping(log, encryption))
		return;
	config_fields_read(log, encryption->value,
			   form == CONFIG_FORM_MACHINE ? &machine_schema : &schema, field);
	volume->encrypted = wanted(log, encryption, field, form);
	if (!volume->encrypted)
		return;
	keys_read(log, &field[F_KEYS], encryption->key->place, form, volume);
	cipher_choose(log, field, volume);
	block_size_read(log, &field[F_BLOCK_SIZE], volume);
	options_read(log, &field[F_OPTIONS], volume);
	config_field_bool(log, &field[F_ALLOW_DISCARDS], &volume->allow_discards);
}
