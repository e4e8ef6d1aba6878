/* SPDX-License-Identifier: MIT */
/* The fields of "encryption", except the entries of "keys". */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/size.h"
#include "config/volume.h"

enum {
	F_PROVIDER,
	F_KEYS,
	F_CIPHER,
	F_KEY_SIZE,
	F_BLOCK_SIZE,
	F_OPTIONS,
	F_ALLOW_DISCARDS,
	F_INTEGRITY,
	F_ROTATE_VOLUME_KEY,
	F_IN_PLACE,
	F_REENCRYPT,
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
	[F_INTEGRITY] = "integrity",
	[F_ROTATE_VOLUME_KEY] = "rotateVolumeKey",
	[F_IN_PLACE] = "inPlace",
	[F_REENCRYPT] = "reencrypt",
};

static const struct config_schema schema = { .names = field_names, .count = F_COUNT };
static const struct config_schema machine_schema = { .names = field_names,
						     .count = F_ALLOW_DISCARDS };

/* Key sizes in bits, the default first. */
static const struct cipher {
	const char *name;
	unsigned key_bits[2];
} ciphers[] = {
	{ "aes-xts-plain64", { 512, 256 } },
	{ "xchacha12,aes-adiantum-plain64", { 256 } },
	{ "xchacha20,aes-adiantum-plain64", { 256 } },
};

/* With integrity aead. With hmac, the cipher is the first one above. */
static const struct cipher aead_cipher = { "aes-gcm-random", { 256, 128 } };

/* Minimum of limitRate. A slower reencryption would take months. */
#define LIMIT_RATE_MIN (64u << 10)

enum provider {
	PROVIDER_MISSING,
	PROVIDER_NONE,
	PROVIDER_LUKS2,
	PROVIDER_UNKNOWN,
};

/* In the machine configuration and in META an empty provider is a missing one. */
static enum provider read_provider(struct config_log *log, const struct config_field *field,
				   enum config_origin origin)
{
	const char *text;
	char shown[CONFIG_PRINTABLE_SIZE];

	if (!field->value)
		return PROVIDER_MISSING;
	if (!config_field_text(log, field, &text))
		return PROVIDER_UNKNOWN;
	if (!*text && origin != CONFIG_ORIGIN_DOCUMENT)
		return PROVIDER_MISSING;
	if (strcasecmp(text, "luks2") == 0)
		return PROVIDER_LUKS2;
	if (strcasecmp(text, "none") == 0)
		return PROVIDER_NONE;
	config_error(log, field->value->position, "unsupported encryption provider: %s",
		     config_printable(text, strlen(text), shown));
	return PROVIDER_UNKNOWN;
}

static bool are_keys_empty(const struct config_field *keys)
{
	return !keys->value || (keys->value->kind == CONFIG_LIST && !keys->value->child);
}

static void read_keys(struct config_log *log, const struct config_field *keys,
		      struct config_position missing, enum config_origin origin,
		      struct config_volume *volume)
{
	uint32_t slots = 0;

	if (are_keys_empty(keys) && origin == CONFIG_ORIGIN_MACHINE) {
		config_error(log, keys->key ? config_field_position(keys) : missing,
			     "partition \"%s\": no encryption keys provided", volume->name);
		return;
	}
	if (are_keys_empty(keys)) {
		config_error(log, keys->key ? config_field_position(keys) : missing,
			     "encryption keys are required");
		return;
	}
	if (!config_field_list(log, keys))
		return;
	volume->keys = calloc(MORTISE_KEYSLOTS_MAX, sizeof(*volume->keys));
	if (!volume->keys) {
		log->out_of_memory = true;
		return;
	}
	for (const struct config_node *item = keys->value->child; item; item = item->next)
		config_key_read(log, item, origin, volume, &slots);
	if (!volume->key_count && volume->recovery_slots && !log->errors)
		config_error(
			log, config_field_position(keys),
			"a recovery key does not open a volume at boot; declare another key, too");
}

/* Talos has no integrity. META cannot describe it, so STATE has none. */
static void read_integrity(struct config_log *log, const struct config_field *field,
			   struct config_volume *volume)
{
	static const char *const names[] = { "hmac-sha256", "hmac-sha512", "aead" };
	const struct config_field *integrity = &field[F_INTEGRITY];
	const char *text = "";
	char shown[CONFIG_PRINTABLE_SIZE];

	if (!config_field_text(log, integrity, &text) || !*text)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			volume->integrity = names[i];
	if (!volume->integrity)
		config_error(
			log, integrity->value->position, "unknown integrity %s; use %s, %s or %s",
			config_printable(text, strlen(text), shown), names[0], names[1], names[2]);
	if (volume->name && strcmp(volume->name, CONFIG_STATE) == 0)
		config_error(log, integrity->value->position,
			     "STATE cannot have integrity: META has no place for it");
	if (volume->allow_discards)
		config_error(log, integrity->value->position,
			     "a volume with integrity cannot have allowDiscards");
	/* EPHEMERAL grows by default. */
	if (volume->provisioning.grow && volume->name && strcmp(volume->name, "EPHEMERAL") != 0)
		config_error(log, integrity->value->position,
			     "a volume with integrity cannot grow");
}

static const struct cipher *read_cipher(struct config_log *log, const struct config_field *field,
					const char *integrity)
{
	const bool aead = integrity && strcmp(integrity, "aead") == 0;
	const struct cipher *only = aead ? &aead_cipher : &ciphers[0];
	const char *text = "";
	char shown[CONFIG_PRINTABLE_SIZE];

	config_field_text(log, field, &text);
	if (integrity && (!*text || strcmp(text, only->name) == 0))
		return only;
	if (integrity) {
		config_error(log, field->value->position,
			     "cipher %s does not fit integrity %s; use %s",
			     config_printable(text, strlen(text), shown), integrity, only->name);
		return NULL;
	}
	if (!*text)
		return &ciphers[0];
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcmp(text, ciphers[i].name) == 0)
			return &ciphers[i];
	config_error(log, field->value->position, "unknown cipher kind %s; use %s, %s or %s",
		     config_printable(text, strlen(text), shown), ciphers[0].name, ciphers[1].name,
		     ciphers[2].name);
	return NULL;
}

bool config_cipher_is_known(const char *cipher, uint32_t key_size)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strcmp(cipher, ciphers[i].name) == 0)
			return key_size * 8 == ciphers[i].key_bits[0] ||
			       key_size * 8 == ciphers[i].key_bits[1];
	return false;
}

static void choose_cipher(struct config_log *log, const struct config_field *field,
			  struct config_volume *volume)
{
	const struct cipher *cipher = read_cipher(log, &field[F_CIPHER], volume->integrity);
	long long bits = 0;

	config_field_number(log, &field[F_KEY_SIZE], &bits);
	if (!cipher)
		return;
	if (bits == 0)
		bits = cipher->key_bits[0];
	if (bits == cipher->key_bits[0] || bits == cipher->key_bits[1]) {
		volume->cipher = config_strdup(log, cipher->name);
		volume->key_size = (uint32_t)bits / 8;
	} else if (cipher->key_bits[1]) {
		config_error(log, field[F_KEY_SIZE].value->position,
			     "invalid keySize %lld for cipher %s; use %u or %u", bits, cipher->name,
			     cipher->key_bits[0], cipher->key_bits[1]);
	} else {
		config_error(log, field[F_KEY_SIZE].value->position,
			     "invalid keySize %lld for cipher %s; use %u", bits, cipher->name,
			     cipher->key_bits[0]);
	}
}

static void read_block_size(struct config_log *log, const struct config_field *field,
			    struct config_volume *volume)
{
	long long size = 0;

	config_field_number(log, field, &size);
	if (size == 0 || size == 512 || size == 1024 || size == 2048 || size == 4096)
		volume->block_size = (uint32_t)size;
	else
		config_error(log, field->value->position,
			     "invalid blockSize %lld; use 512, 1024, 2048, 4096, or 0 to choose by "
			     "the device",
			     size);
}

static void read_options(struct config_log *log, const struct config_field *field,
			 struct config_volume *volume)
{
	static const char *const names[] = {
		"no_read_workqueue",
		"no_write_workqueue",
		"same_cpu_crypt",
	};
	char shown[CONFIG_PRINTABLE_SIZE];

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
			config_error(log, item->position,
				     "invalid perf option %s; use %s, %s or %s",
				     config_printable(text, strlen(text), shown), names[0],
				     names[1], names[2]);
	}
}

static void read_rotation(struct config_log *log, const struct config_field *field,
			  struct config_volume *volume)
{
	const char *text = "";

	if (!config_field_text(log, field, &text) || !field->value)
		return;
	if (*text && strlen(text) <= CONFIG_SERIAL_MAX)
		volume->rotate_key = config_strdup(log, text);
	else
		config_error(log, field->value->position,
			     "invalid rotateVolumeKey; use any text of 1 to %u bytes",
			     CONFIG_SERIAL_MAX);
}

/* Reads when the data is encrypted in place or re-encrypted, and how fast. */
static void read_reencrypt(struct config_log *log, const struct config_field *field,
			   struct config_volume *volume)
{
	static const char *const names[] = { "when", "limitRate" };
	static const struct config_schema when_schema = { .names = names, .count = 2 };
	char shown[CONFIG_PRINTABLE_SIZE];
	struct config_field of[2] = { 0 };
	struct config_size rate;
	const char *text = "boot";

	if (!config_field_mapping(log, field))
		return;
	config_fields_read(log, field->value, &when_schema, of);
	if (config_field_text(log, &of[0], &text))
		volume->online = !strcmp(text, "online");
	if (!volume->online && strcmp(text, "boot") != 0)
		config_error(log, of[0].value->position, "invalid when %s; use boot or online",
			     config_printable(text, strlen(text), shown));
	config_field_size(log, &of[1], false, &rate);
	volume->limit_rate = rate.value;
	if (rate.given && (rate.negative || rate.value < LIMIT_RATE_MIN))
		config_error(log, of[1].value->position,
			     "limitRate is less than %u bytes per second", LIMIT_RATE_MIN);
	else if (rate.given && !volume->online)
		config_error(log, of[1].value->position, "limitRate needs \"when: online\"");
	/* The process could wait for memory in the part of the swap area that it holds. */
	if (volume->online && volume->kind == CONFIG_VOLUME_SWAP)
		config_error(log, of[0].value->position,
			     "a swap area is not re-encrypted while it is in use; use boot");
}

static bool has_any_value(const struct config_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (field[i].value)
			return true;
	return false;
}

/* In a volume's document, keys without a provider mean luks2. */
static bool is_wanted_without_provider(struct config_log *log,
				       const struct config_field *encryption,
				       const struct config_field *field)
{
	bool keys = field[F_KEYS].value;

	if (keys)
		config_notice(log, encryption->key->position,
			      "no provider: luks2 is assumed; Talos requires \"provider: luks2\"");
	else if (has_any_value(field, F_COUNT))
		config_error(log, encryption->key->position,
			     "encryption has neither provider nor keys: the volume would not be "
			     "encrypted; add them or write \"provider: none\"");
	else
		config_notice(log, encryption->key->position,
			      "encryption is empty: the volume is not encrypted");
	return keys;
}

/* "provider: none" with inPlace: the keys open the volume, which is decrypted. */
static void read_decryption(struct config_log *log, const struct config_field *encryption,
			    const struct config_field *field, struct config_volume *volume)
{
	const char *fault = NULL;

	if (volume->name && strcmp(volume->name, CONFIG_STATE) == 0)
		fault = "STATE cannot be decrypted in place: its header would be kept in STATE";
	else if (volume->kind == CONFIG_VOLUME_SWAP)
		fault = "a swap area is formatted at each boot; remove inPlace";
	if (fault)
		config_error(log, config_field_position(&field[F_IN_PLACE]), "%s", fault);
	else if (are_keys_empty(&field[F_KEYS]))
		config_error(log, config_field_position(&field[F_IN_PLACE]),
			     "decrypting in place needs keys that open the volume; once it is "
			     "decrypted, remove encryption");
	else
		read_keys(log, &field[F_KEYS], encryption->key->position, CONFIG_ORIGIN_DOCUMENT,
			  volume);
	volume->recovery_slots = 0;
}

/* Is encryption declared? Yes after an error too, so that the other fields are checked. */
static bool is_wanted(struct config_log *log, const struct config_field *encryption,
		      const struct config_field *field, enum config_origin origin, bool in_place)
{
	switch (read_provider(log, &field[F_PROVIDER], origin)) {
	case PROVIDER_NONE:
		if ((are_keys_empty(&field[F_KEYS]) && origin != CONFIG_ORIGIN_MACHINE) || in_place)
			return false;
		config_error(log, field[F_PROVIDER].value->position,
			     "unsupported encryption provider: none");
		return true;
	case PROVIDER_MISSING:
		return origin != CONFIG_ORIGIN_DOCUMENT ||
		       is_wanted_without_provider(log, encryption, field);
	case PROVIDER_LUKS2:
	case PROVIDER_UNKNOWN:
		break;
	}
	return true;
}

void config_encryption_read(struct config_log *log, const struct config_field *encryption,
			    enum config_origin origin, struct config_volume *volume)
{
	struct config_field field[F_COUNT] = { 0 };

	if (!config_field_mapping(log, encryption))
		return;
	config_fields_read(log, encryption->value,
			   origin == CONFIG_ORIGIN_MACHINE ? &machine_schema : &schema, field);
	config_field_bool(log, &field[F_IN_PLACE], &volume->in_place);
	read_reencrypt(log, &field[F_REENCRYPT], volume);
	volume->encrypted = is_wanted(log, encryption, field, origin, volume->in_place);
	/* Without a provider, inPlace alone is an error or declares nothing. */
	volume->in_place &= volume->encrypted || field[F_PROVIDER].value;
	if (!volume->encrypted && volume->in_place)
		read_decryption(log, encryption, field, volume);
	if (!volume->encrypted) {
		volume->online = false;
		return;
	}
	read_keys(log, &field[F_KEYS], encryption->key->position, origin, volume);
	config_field_bool(log, &field[F_ALLOW_DISCARDS], &volume->allow_discards);
	read_integrity(log, field, volume);
	choose_cipher(log, field, volume);
	read_block_size(log, &field[F_BLOCK_SIZE], volume);
	read_options(log, &field[F_OPTIONS], volume);
	read_rotation(log, &field[F_ROTATE_VOLUME_KEY], volume);
	for (int i = F_ROTATE_VOLUME_KEY; i <= F_REENCRYPT; i++)
		if (volume->integrity && field[i].value)
			config_error(log, field[i].value->position,
				     "a volume with integrity cannot be encrypted again; remove %s",
				     field_names[i]);
}
