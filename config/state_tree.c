/* SPDX-License-Identifier: MIT */
/*
 * Tag 9 of META as the tree that a document's encryption would be: members get the names that they
 * have in YAML, unknown ones are dropped, types are checked. libyaml cannot read JSON as it is
 * (DEL, some control characters), so json-c does; what it copied of secrets is wiped.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "config/volume.h"

#define STATE_JSON_MAX 262104u /* bytes: the room for one value in META */

/* A member: its Go name, its name in YAML, its type; of a list the type of the items. */
struct member {
	const char *go;
	const char *yaml;
	json_type type;
	bool list;
	const struct member *members; /* of an object, the last one empty */
};

static const struct member static_members[] = {
	{ "KeyData", "passphrase", json_type_string, false, NULL },
	{ 0 },
};

static const struct member kms_members[] = {
	{ "KMSEndpoint", "endpoint", json_type_string, false, NULL },
	{ 0 },
};

static const struct member no_members[] = { { 0 } };

static const struct member options_members[] = {
	{ "PCRs", "pcrs", json_type_int, true, NULL },
	{ 0 },
};

static const struct member tpm_members[] = {
	{ "TPMOptions", "options", json_type_object, false, options_members },
	{ "TPMCheckSecurebootStatusOnEnroll", "checkSecurebootStatusOnEnroll", json_type_boolean,
	  false, NULL },
	{ 0 },
};

static const struct member key_members[] = {
	{ "KeySlot", "slot", json_type_int, false, NULL },
	{ "KeyStatic", "static", json_type_object, false, static_members },
	{ "KeyNodeID", "nodeID", json_type_object, false, no_members },
	{ "KeyKMS", "kms", json_type_object, false, kms_members },
	{ "KeyTPM", "tpm", json_type_object, false, tpm_members },
	{ "KeyLockToSTATE", "lockToState", json_type_boolean, false, NULL },
	{ 0 },
};

static const struct member encryption_members[] = {
	{ "EncryptionProvider", "provider", json_type_string, false, NULL },
	{ "EncryptionKeys", "keys", json_type_object, true, key_members },
	{ "EncryptionCipher", "cipher", json_type_string, false, NULL },
	{ "EncryptionKeySize", "keySize", json_type_int, false, NULL },
	{ "EncryptionBlockSize", "blockSize", json_type_int, false, NULL },
	{ "EncryptionPerfOptions", "options", json_type_string, true, NULL },
	{ "EncryptionAllowDiscards", "allowDiscards", json_type_boolean, false, NULL },
	{ 0 },
};

static const struct member encryption = { "the value", "encryption", json_type_object, false,
					  encryption_members };

struct builder {
	struct config_log *log;
	struct config_tree *tree;
	size_t nodes;
};

/* Nothing in JSON has a line that would help anyone: it is one long one. */
static const struct config_place nowhere;

static struct config_node *node_add(struct builder *builder, enum config_node_kind kind)
{
	struct config_node *node;

	if (++builder->nodes > CONFIG_NODES_MAX) {
		config_error(builder->log, nowhere, "more than %u values", CONFIG_NODES_MAX);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		builder->log->no_memory = true;
		return NULL;
	}
	node->kind = kind;
	node->older = builder->tree->newest;
	builder->tree->newest = node;
	return node;
}

static struct config_node *scalar_add(struct builder *builder, const char *text, size_t size,
				      yaml_scalar_style_t style)
{
	struct config_node *node = node_add(builder, CONFIG_SCALAR);

	if (!node)
		return NULL;
	/* json-c has checked that it is UTF-8: only memory can be missing. */
	if (!yaml_scalar_event_initialize(&node->event, NULL, NULL, (const yaml_char_t *)text,
					  (int)size, 1, 1, style)) {
		builder->log->no_memory = true;
		return NULL;
	}
	return node;
}

static struct config_node *word_add(struct builder *builder, const char *word)
{
	return scalar_add(builder, word, strlen(word), YAML_PLAIN_SCALAR_STYLE);
}

static struct config_node *value_add(struct builder *builder, struct json_object *value,
				     const struct member *member);

static const struct member *member_find(const struct member *members, const char *name)
{
	/* As Go does: in whichever case. */
	for (; members->go; members++)
		if (strcasecmp(members->go, name) == 0)
			return members;
	return NULL;
}

static struct config_node *object_add(struct builder *builder, struct json_object *object,
				      const struct member *members)
{
	struct config_node *node = node_add(builder, CONFIG_MAPPING);
	struct config_node **tail = node ? &node->child : NULL;

	if (!node)
		return NULL;
	json_object_object_foreach(object, name, value) {
		const struct member *member = member_find(members, name);
		struct config_node *key;

		if (!member)
			continue;
		key = word_add(builder, member->yaml);
		if (!key)
			return NULL;
		key->next = value_add(builder, value, member);
		if (!key->next)
			return NULL;
		*tail = key;
		tail = &key->next->next;
	}
	return node;
}

static struct config_node *list_add(struct builder *builder, struct json_object *list,
				    const struct member *member)
{
	const struct member item = { member->go, member->yaml, member->type, false,
				     member->members };
	struct config_node *node = node_add(builder, CONFIG_LIST);
	struct config_node **tail = node ? &node->child : NULL;

	for (size_t i = 0; node && i < json_object_array_length(list); i++) {
		*tail = value_add(builder, json_object_array_get_idx(list, i), &item);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	return node;
}

static struct config_node *value_add(struct builder *builder, struct json_object *value,
				     const struct member *member)
{
	const json_type type = member->list ? json_type_array : member->type;

	if (!value)
		return word_add(builder, "null");
	if (!json_object_is_type(value, type)) {
		config_error(builder->log, nowhere, "%s must be of type %s, not %s", member->go,
			     json_type_to_name(type),
			     json_type_to_name(json_object_get_type(value)));
		return NULL;
	}
	switch (type) {
	case json_type_array:
		return list_add(builder, value, member);
	case json_type_object:
		return object_add(builder, value, member->members);
	case json_type_string:
		return scalar_add(builder, json_object_get_string(value),
				  (size_t)json_object_get_string_len(value),
				  YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	case json_type_boolean:
		return word_add(builder, json_object_get_boolean(value) ? "true" : "false");
	case json_type_null:
	case json_type_double:
	case json_type_int:
		break;
	}
	return word_add(builder, json_object_get_string(value));
}

/* Recursion ends: the tokener was asked for META_DEPTH_MAX. */
static void object_wipe(struct json_object *object)
{
	if (json_object_is_type(object, json_type_string)) {
		secret_wipe((void *)(uintptr_t)json_object_get_string(object),
			    (size_t)json_object_get_string_len(object));
	} else if (json_object_is_type(object, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(object); i++)
			object_wipe(json_object_array_get_idx(object, i));
	} else if (json_object_is_type(object, json_type_object)) {
		json_object_object_foreach(object, name, value) {
			(void)name;
			object_wipe(value);
		}
	}
}

/* Large enough from the start, so that no realloc(3) leaves a part of a secret behind. */
static struct json_tokener *tokener_new(size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(CONFIG_DEPTH_MAX);

	if (!tokener)
		return NULL;
	if (printbuf_memset(tokener->pb, 0, 0, (int)size + 1) < 0) {
		json_tokener_free(tokener);
		return NULL;
	}
	printbuf_reset(tokener->pb);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	return tokener;
}

/* What was read before an error is in its stack. */
static void tokener_free(struct json_tokener *tokener)
{
	if (!tokener)
		return;
	for (int i = 0; i <= tokener->depth; i++)
		object_wipe(tokener->stack[i].current);
	secret_wipe(tokener->pb->buf, (size_t)tokener->pb->size);
	json_tokener_free(tokener);
}

static struct json_object *json_parse(struct config_log *log, const char *json, size_t size)
{
	struct json_tokener *tokener = tokener_new(size);
	enum json_tokener_error error = json_tokener_success;
	struct json_object *object = NULL;

	if (tokener) {
		object = json_tokener_parse_ex(tokener, json, (int)size);
		error = json_tokener_get_error(tokener);
	}
	if (error == json_tokener_continue)
		config_error(log, nowhere, "the JSON has no end");
	else if (error != json_tokener_success)
		config_error(log, nowhere, "not JSON at byte %zu: %s",
			     json_tokener_get_parse_end(tokener), json_tokener_error_desc(error));
	else if (!object)
		log->no_memory = true;
	tokener_free(tokener);
	return object;
}

struct config_tree *config_state_tree(struct config_log *log, const char *json, size_t size)
{
	struct builder builder = { .log = log };
	struct json_object *object;
	struct config_node *root;

	if (size > STATE_JSON_MAX) {
		config_error(log, nowhere, "larger than META: this is no encryption configuration");
		return NULL;
	}
	/* With an object json-c knows the end, and NULL is for missing memory alone. */
	if (size == 0 || json[0] != '{') {
		config_error(log, nowhere, "the JSON is no object");
		return NULL;
	}
	object = json_parse(log, json, size);
	if (!object)
		return NULL;
	builder.tree = calloc(1, sizeof(*builder.tree));
	root = builder.tree ? node_add(&builder, CONFIG_MAPPING) : NULL;
	if (root && (root->child = word_add(&builder, encryption.yaml)) &&
	    (root->child->next = value_add(&builder, object, &encryption))) {
		builder.tree->document[builder.tree->document_count++] = root;
	} else {
		config_tree_free(builder.tree);
		builder.tree = NULL;
	}
	if (!builder.tree && log->errors == 0)
		log->no_memory = true;
	object_wipe(object);
	json_object_put(object);
	return builder.tree;
}
