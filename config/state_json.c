/* SPDX-License-Identifier: MIT */
/*
 * STATE's encryption as JSON, byte for byte as Go's encoding/json (1.22 and later) writes Talos's
 * block.EncryptionSpec, or v1alpha1.EncryptionConfig for machine.systemDiskEncryption. The names
 * are those of the Go fields.
 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "config/volume.h"

/* A secret cannot grow: a first pass, with bytes NULL, only counts. */
struct writer {
	uint8_t *bytes;
	size_t size;
};

static void put(struct writer *to, const char *text, size_t size)
{
	if (to->bytes)
		memcpy(to->bytes + to->size, text, size);
	to->size += size;
}

static void put_text(struct writer *to, const char *text)
{
	put(to, text, strlen(text));
}

/* U+2028 or U+2029, which encoding/json escapes because JavaScript takes them for line ends. */
static bool is_separator(const char *at, size_t left)
{
	return left >= 3 && memcmp(at, "\xe2\x80", 2) == 0 &&
	       ((unsigned char)at[2] == 0xa8 || (unsigned char)at[2] == 0xa9);
}

/* The escape of the character at *at, of *length bytes; NULL if it needs none. */
static const char *find_escape(const char *at, size_t left, size_t *length, char room[static 7])
{
	static const char short_ones[] = "\b\f\n\r\t\"\\";
	static const char *const escapes[] = { "\\b", "\\f", "\\n", "\\r", "\\t", "\\\"", "\\\\" };
	const unsigned char byte = (unsigned char)*at;
	const char *found = byte ? strchr(short_ones, byte) : NULL;

	*length = 1;
	if (found)
		return escapes[found - short_ones];
	if (byte < 0x20 || byte == '<' || byte == '>' || byte == '&') {
		snprintf(room, 7, "\\u%04x", byte);
		return room;
	}
	if (!is_separator(at, left))
		return NULL;
	*length = 3;
	return at[2] & 1 ? "\\u2029" : "\\u2028";
}

static void put_string(struct writer *to, const struct config_node *node)
{
	const char *text = node ? config_node_text(node) : "";
	const size_t size = node ? config_node_size(node) : 0;
	char room[7] = "";
	size_t length;

	put(to, "\"", 1);
	for (size_t at = 0; at < size; at += length) {
		const char *escape = find_escape(text + at, size - at, &length, room);

		if (escape)
			put_text(to, escape);
		else
			put(to, text + at, length);
	}
	put(to, "\"", 1);
	/* It may hold a character of a passphrase. */
	secret_wipe(room, sizeof(room));
}

static void put_number(struct writer *to, const struct config_node *node)
{
	char text[24];
	long long number = 0;

	if (node)
		config_node_number(node, &number);
	snprintf(text, sizeof(text), "%lld", number);
	put_text(to, text);
}

static void put_bool(struct writer *to, struct config_log *log, const struct config_node *node)
{
	const struct config_field field = { .value = node };
	bool value = false;

	if (config_field_bool(log, &field, &value))
		put_text(to, value ? "true" : "false");
	else
		put_text(to, "null");
}

static void put_list(struct writer *to, const struct config_node *list,
		     void (*put_item)(struct writer *, const struct config_node *))
{
	if (!list) {
		put_text(to, "null");
		return;
	}
	put_text(to, "[");
	for (const struct config_node *item = list->child; item; item = item->next) {
		put_item(to, item);
		if (item->next)
			put_text(to, ",");
	}
	put_text(to, "]");
}

/* {"NAME":"TEXT"}, or null if the mapping is missing. */
static void put_single(struct writer *to, const struct config_node *mapping, const char *name,
		       const char *child)
{
	if (!mapping) {
		put_text(to, "null");
		return;
	}
	put_text(to, "{\"");
	put_text(to, name);
	put_text(to, "\":");
	put_string(to, config_node_child(mapping, child));
	put_text(to, "}");
}

static void put_kinds(struct writer *to, const struct config_node *key)
{
	put_text(to, "\"KeyStatic\":");
	put_single(to, config_node_child(key, "static"), "KeyData", "passphrase");
	put_text(to,
		 config_node_child(key, "nodeID") ? ",\"KeyNodeID\":{}" : ",\"KeyNodeID\":null");
	put_text(to, ",\"KeyKMS\":");
	put_single(to, config_node_child(key, "kms"), "KMSEndpoint", "endpoint");
}

static void put_options(struct writer *to, const struct config_node *options)
{
	put_text(to, "\"TPMOptions\":");
	if (options) {
		put_text(to, "{\"PCRs\":");
		put_list(to, config_node_child(options, "pcrs"), put_number);
		put_text(to, "},");
	} else {
		put_text(to, "null,");
	}
}

static void put_tpm(struct writer *to, struct config_log *log, const struct config_node *tpm,
		    enum config_origin origin)
{
	put_text(to, ",\"KeyTPM\":");
	if (!tpm) {
		put_text(to, "null");
		return;
	}
	put_text(to, "{");
	if (origin != CONFIG_ORIGIN_MACHINE)
		put_options(to, config_node_child(tpm, "options"));
	put_text(to, "\"TPMCheckSecurebootStatusOnEnroll\":");
	put_bool(to, log, config_node_child(tpm, "checkSecurebootStatusOnEnroll"));
	put_text(to, "}");
}

static void put_slot(struct writer *to, const struct config_node *key)
{
	put_text(to, "\"KeySlot\":");
	put_number(to, config_node_child(key, "slot"));
}

static void put_key(struct writer *to, struct config_log *log, const struct config_node *key,
		    enum config_origin origin)
{
	const struct config_node *lock = config_node_child(key, "lockToState");

	put_text(to, "{");
	if (origin != CONFIG_ORIGIN_MACHINE) {
		put_slot(to, key);
		put_text(to, ",");
	}
	put_kinds(to, key);
	if (origin == CONFIG_ORIGIN_MACHINE) {
		put_text(to, ",");
		put_slot(to, key);
	}
	put_tpm(to, log, config_node_child(key, "tpm"), origin);
	if (origin != CONFIG_ORIGIN_MACHINE) {
		put_text(to, ",\"KeyLockToSTATE\":");
		put_bool(to, log, lock ? lock : config_node_child(key, "lockToSTATE"));
	}
	put_text(to, "}");
}

/* block.EncryptionSpec has an enumeration here, v1alpha1.EncryptionConfig the original text. */
static void put_provider(struct writer *to, const struct config_node *encryption,
			 enum config_origin origin)
{
	put_text(to, "{\"EncryptionProvider\":");
	if (origin == CONFIG_ORIGIN_MACHINE)
		put_string(to, config_node_child(encryption, "provider"));
	else
		put_text(to, "\"luks2\"");
}

static void put_encryption(struct writer *to, struct config_log *log,
			   const struct config_node *encryption, enum config_origin origin)
{
	const struct config_node *keys = encryption ? config_node_child(encryption, "keys") : NULL;
	const char *separator = "";

	if (!encryption) {
		put_text(to, "null");
		return;
	}
	put_provider(to, encryption, origin);
	put_text(to, ",\"EncryptionKeys\":[");
	for (const struct config_node *key = keys ? keys->child : NULL; key; key = key->next) {
		/* Talos has no recovery keys, and a boot does not need them. */
		if (config_node_child(key, "recovery"))
			continue;
		put_text(to, separator);
		put_key(to, log, key, origin);
		separator = ",";
	}
	put_text(to, "],\"EncryptionCipher\":");
	put_string(to, config_node_child(encryption, "cipher"));
	put_text(to, ",\"EncryptionKeySize\":");
	put_number(to, config_node_child(encryption, "keySize"));
	put_text(to, ",\"EncryptionBlockSize\":");
	put_number(to, config_node_child(encryption, "blockSize"));
	put_text(to, ",\"EncryptionPerfOptions\":");
	put_list(to, config_node_child(encryption, "options"), put_string);
	if (origin != CONFIG_ORIGIN_MACHINE) {
		put_text(to, ",\"EncryptionAllowDiscards\":");
		put_bool(to, log, config_node_child(encryption, "allowDiscards"));
	}
	put_text(to, "}");
}

struct mortise_secret *config_state_json(struct config_log *log,
					 const struct config_node *encryption,
					 enum config_origin origin)
{
	struct mortise_secret *json = NULL;
	struct mortise_error err;
	struct writer to = { 0 };

	put_encryption(&to, log, encryption, origin);
	if (mortise_secret_new(to.size, &json, &err) != MORTISE_OK) {
		log->out_of_memory = true;
		return NULL;
	}
	to = (struct writer){ .bytes = mortise_secret_writable(json) };
	put_encryption(&to, log, encryption, origin);
	return json;
}
