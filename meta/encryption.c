/* SPDX-License-Identifier: MIT */
/* How a volume is encrypted: provider, cipher, sector size, options. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "meta/volume.h"

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

static const struct meta_schema schema = { .names = field_names, .count = F_COUNT };
static const struct meta_schema machine_schema = { .names = field_names,
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
static enum provider provider_read(struct meta_log *log, const struct meta_field *field,
				   enum meta_form form)
{
	const char *text;
	char shown[META_SHOW_ROOM];

	if (!field->value)
		return PROVIDER_MISSING;
	if (!meta_field_text(log, field, &text))
		return PROVIDER_UNKNOWN;
	if (!*text && form != META_FORM_VOLUME)
		return PROVIDER_MISSING;
	if (strcasecmp(text, "luks2") == 0)
		return PROVIDER_LUKS2;
	if (strcasecmp(text, "none") == 0)
		return PROVIDER_NONE;
	meta_error(log, field->value->place, "unsupported encryption provider: %s",
		   meta_show(text, strlen(text), shown));
	return PROVIDER_UNKNOWN;
}

static bool none_given(const struct meta_field *keys)
{
	return !keys->value || (keys->value->kind == META_LIST && !keys->value->child);
}

static void keys_read(struct meta_log *log, const struct meta_field *keys,
		      struct meta_place missing, enum meta_form form, struct meta_volume *volume)
{
	uint32_t slots = 0;

	if (none_given(keys) && form == META_FORM_MACHINE) {
		meta_error(log, keys->key ? meta_field_place(keys) : missing,
			   "partition \"%s\": no encryption keys provided", volume->name);
		return;
	}
	if (none_given(keys)) {
		meta_error(log, keys->key ? meta_field_place(keys) : missing,
			   "encryption keys are required");
		return;
	}
	if (!meta_field_list(log, keys))
		return;
	volume->keys = calloc(MORTISE_KEYSLOTS_MAX, sizeof(*volume->keys));
	if (!volume->keys) {
		log->no_memory = true;
		return;
	}
	for (const struct meta_node *item = keys->value->child; item; item = item->next)
		meta_key_read(log, item, form, volume, &slots);
}

static const struct cipher *cipher_read(struct meta_log *log, const struct meta_field *field)
{
	const char *text = "";
	char shown[META_SHOW_ROOM];

	meta_field_text(log, field, &text);
	if (!*text)
		return &ciphers[0];
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcmp(text, ciphers[i].name) == 0)
			return &ciphers[i];
	meta_error(log, field->value->place, "unknown cipher kind %s; known are %s, %s and %s",
		   meta_show(text, strlen(text), shown), ciphers[0].name, ciphers[1].name,
		   ciphers[2].name);
	return NULL;
}

static void cipher_choose(struct meta_log *log, const struct meta_field *field,
			  struct meta_volume *volume)
{
	const struct cipher *cipher = cipher_read(log, &field[F_CIPHER]);
	long long bits = 0;

	meta_field_number(log, &field[F_KEY_SIZE], &bits);
	if (!cipher)
		return;
	if (bits == 0)
		bits = cipher->key_bits[0];
	if (bits == cipher->key_bits[0] || bits == cipher->key_bits[1]) {
		volume->cipher = meta_copy(log, cipher->name);
		volume->key_size = (uint32_t)bits / 8;
	} else if (cipher->key_bits[1]) {
		meta_error(log, field[F_KEY_SIZE].value->place,
			   "keySize %lld does not fit cipher %s: %u or %u bits", bits, cipher->name,
			   cipher->key_bits[0], cipher->key_bits[1]);
	} else {
		meta_error(log, field[F_KEY_SIZE].value->place,
			   "keySize %lld does not fit cipher %s: %u bits", bits, cipher->name,
			   cipher->key_bits[0]);
	}
}

static void block_size_read(struct meta_log *log, const struct meta_field *field,
			    struct meta_volume *volume)
{
	long long size = 0;

	meta_field_number(log, field, &size);
	if (size == 0 || size == 512 || size == 1024 || size == 2048 || size == 4096)
		volume->block_size = (uint32_t)size;
	else
		meta_error(log, field->value->place,
			   "blockSize %lld is no sector size: 512, 1024, 2048 or 4096 bytes, or 0 "
			   "for what suits the device",
			   size);
}

static void options_read(struct meta_log *log, const struct meta_field *field,
			 struct meta_volume *volume)
{
	static const char *const names[] = {
		"no_read_workqueue",
		"no_write_workqueue",
		"same_cpu_crypt",
	};
	char shown[META_SHOW_ROOM];

	if (!meta_field_list(log, field))
		return;
	for (const struct meta_node *item = field->value->child; item; item = item->next) {
		const struct meta_field option = { .name = "options", .value = item };
		const char *text;
		size_t i = 0;

		if (!meta_field_text(log, &option, &text))
			continue;
		while (i < 3 && strcmp(text, names[i]) != 0)
			i++;
		if (i < 3)
			volume->perf |= 1u << i;
		else
			meta_error(log, item->place, "invalid perf option %s; known are %s, %s, %s",
				   meta_show(text, strlen(text), shown), names[0], names[1],
				   names[2]);
	}
}

static bool any_given(const struct meta_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (field[i].value)
			return true;
	return false;
}

/* A volume's document without a provider. */
static bool wanted_by_keys(struct meta_log *log, const struct meta_field *encryption,
			   const struct meta_field *field)
{
	bool keys = field[F_KEYS].value;

	if (keys)
		meta_notice(log, encryption->key->place,
			    "no provider given: taken as luks2; Talos wants "
			    "\"provider: luks2\" written");
	else if (any_given(field, F_COUNT))
		meta_error(log, encryption->key->place,
			   "encryption has neither provider nor keys: the volume would stay in "
			   "plain; add them, or write \"provider: none\"");
	else
		meta_notice(log, encryption->key->place,
			    "encryption is empty: the volume is not encrypted");
	return keys;
}

/*
 * Is the volume to be encrypted? Yes after an error too, so that the rest is checked as well.
 */
static bool wanted(struct meta_log *log, const struct meta_field *encryption,
		   const struct meta_field *field, enum meta_form form)
{
	switch (provider_read(log, &field[F_PROVIDER], form)) {
	case PROVIDER_NONE:
		if (none_given(&field[F_KEYS]) && form != META_FORM_MACHINE)
			return false;
		meta_error(log, field[F_PROVIDER].value->place,
			   "unsupported encryption provider: none");
		return true;
	case PROVIDER_MISSING:
		return form != META_FORM_VOLUME || wanted_by_keys(log, encryption, field);
	case PROVIDER_LUKS2:
	case PROVIDER_UNKNOWN:
		break;
	}
	return true;
}

void meta_encryption_read(struct meta_log *log, const struct meta_field *encryption,
			  enum meta_form form, struct meta_volume *volume)
{
	struct meta_field field[F_COUNT] = { 0 };

	if (!meta_field_mapping(log, encryption))
		return;
	meta_fields_read(log, encryption->value,
			 form == META_FORM_MACHINE ? &machine_schema : &schema, field);
	volume->encrypted = wanted(log, encryption, field, form);
	if (!volume->encrypted)
		return;
	keys_read(log, &field[F_KEYS], encryption->key->place, form, volume);
	cipher_choose(log, field, volume);
	block_size_read(log, &field[F_BLOCK_SIZE], volume);
	options_read(log, &field[F_OPTIONS], volume);
	meta_field_bool(log, &field[F_ALLOW_DISCARDS], &volume->allow_discards);
}
