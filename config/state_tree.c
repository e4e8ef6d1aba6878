/* SPDX-License-Identifier: MIT */
/*
 * Converting tag 9 of META to the tree of a document's encryption: members get their YAML names,
 * unknown ones are dropped, types are checked. libyaml rejects some valid JSON (DEL, some control
 * characters), so json-c parses it, and its copies of secrets are wiped.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json_scan.h"
#include "base/secret.h"
#include "config/volume.h"

#define STATE_JSON_MAX	 262104u /* bytes: the largest value that META can hold */
/* 32 keys have some 700 values. */
#define STATE_VALUES_MAX 4096u

/* A member: its Go name, its YAML name, its type, which for a list is that of its items. */
struct member {
	const char *go;
	const char *yaml;
	json_type type;
	bool list;
	const struct member *members; /* of an object; ended by an empty one */
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

/* The JSON is a single line. */
static const struct config_position no_position;

static struct config_node *add_node(struct builder *builder, enum config_node_kind kind)
{
	struct config_node *node;

	if (++builder->nodes > CONFIG_NODES_MAX) {
		config_error(builder->log, no_position, "more than %u values", CONFIG_NODES_MAX);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		builder->log->out_of_memory = true;
		return NULL;
	}
	node->kind = kind;
	node->older = builder->tree->newest;
	builder->tree->newest = node;
	return node;
}

static struct config_node *add_scalar(struct builder *builder, const char *text, size_t size,
				      yaml_scalar_style_t style)
{
	struct config_node *node = add_node(builder, CONFIG_SCALAR);

	if (!node)
		return NULL;
	/* json-c has checked the UTF-8, so only malloc(3) can fail. */
	if (!yaml_scalar_event_initialize(&node->event, NULL, NULL, (const yaml_char_t *)text,
					  (int)size, 1, 1, style)) {
		builder->log->out_of_memory = true;
		return NULL;
	}
	node->tag = style == YAML_PLAIN_SCALAR_STYLE ? CONFIG_TAG_PLAIN : CONFIG_TAG_TEXT;
	return node;
}

static struct config_node *add_word(struct builder *builder, const char *word)
{
	return add_scalar(builder, word, strlen(word), YAML_PLAIN_SCALAR_STYLE);
}

static struct config_node *add_value(struct builder *builder, struct json_object *value,
				     const struct member *member);

static const struct member *find_member(const struct member *members, const char *name)
{
	/* Like Go, ignoring case. */
	for (; members->go; members++)
		if (strcasecmp(members->go, name) == 0)
			return members;
	return NULL;
}

static struct config_node *add_object(struct builder *builder, struct json_object *object,
				      const struct member *members)
{
	struct config_node *node = add_node(builder, CONFIG_MAPPING);
	struct config_node **tail = node ? &node->child : NULL;

	if (!node)
		return NULL;
	json_object_object_foreach(object, name, value) {
		const struct member *member = find_member(members, name);
		struct config_node *key;

		if (!member)
			continue;
		key = add_word(builder, member->yaml);
		if (!key)
			return NULL;
		key->next = add_value(builder, value, member);
		if (!key->next)
			return NULL;
		*tail = key;
		tail = &key->next->next;
	}
	return node;
}

static struct config_node *add_list(struct builder *builder, struct json_object *list,
				    const struct member *member)
{
	const struct member item = { member->go, member->yaml, member->type, false,
				     member->members };
	struct config_node *node = add_node(builder, CONFIG_LIST);
	struct config_node **tail = node ? &node->child : NULL;

	for (size_t i = 0; node && i < json_object_array_length(list); i++) {
		*tail = add_value(builder, json_object_array_get_idx(list, i), &item);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	return node;
}

static struct config_node *add_value(struct builder *builder, struct json_object *value,
				     const struct member *member)
{
	const json_type type = member->list ? json_type_array : member->type;

	if (!value)
		return add_word(builder, "null");
	if (!json_object_is_type(value, type)) {
		config_error(builder->log, no_position, "%s must be of type %s, not %s", member->go,
			     json_type_to_name(type),
			     json_type_to_name(json_object_get_type(value)));
		return NULL;
	}
	switch (type) {
	case json_type_array:
		return add_list(builder, value, member);
	case json_type_object:
		return add_object(builder, value, member->members);
	case json_type_string:
		return add_scalar(builder, json_object_get_string(value),
				  (size_t)json_object_get_string_len(value),
				  YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	case json_type_boolean:
		return add_word(builder, json_object_get_boolean(value) ? "true" : "false");
	case json_type_null:
	case json_type_double:
	case json_type_int:
		break;
	}
	return add_word(builder, json_object_get_string(value));
}

/* The tokener limits the depth of recursion to CONFIG_DEPTH_MAX. */
static void wipe_object(struct json_object *object)
{
	if (json_object_is_type(object, json_type_string)) {
		secret_wipe((void *)(uintptr_t)json_object_get_string(object),
			    (size_t)json_object_get_string_len(object));
	} else if (json_object_is_type(object, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(object); i++)
			wipe_object(json_object_array_get_idx(object, i));
	} else if (json_object_is_type(object, json_type_object)) {
		json_object_object_foreach(object, name, value) {
			(void)name;
			wipe_object(value);
		}
	}
}

/* Allocates the whole buffer at once, so that realloc(3) leaves no copy of a secret. */
static struct json_tokener *create_tokener(size_t size)
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

/* After an error the stack holds the objects parsed so far. */
static void free_tokener(struct json_tokener *tokener)
{
	if (!tokener)
		return;
	for (int i = 0; i <= tokener->depth; i++)
		wipe_object(tokener->stack[i].current);
	secret_wipe(tokener->pb->buf, (size_t)tokener->pb->size);
	json_tokener_free(tokener);
}

/* Checks the text before json-c creates an object for each value. */
static bool check_json(struct config_log *log, const char *json, size_t size)
{
	static const struct json_scan_limits limits = { CONFIG_DEPTH_MAX, STATE_VALUES_MAX };
	size_t end;
	const char *wrong = json_scan(json, size, &limits, &end);

	if (wrong && end >= size)
		config_error(log, no_position, "the JSON is truncated");
	else if (wrong)
		config_error(log, no_position, "invalid JSON at byte %zu: %s", end, wrong);
	return !wrong;
}

static struct json_object *parse_json(struct config_log *log, const char *json, size_t size)
{
	enum json_tokener_error error = json_tokener_success;
	struct json_object *object = NULL;
	struct json_tokener *tokener;

	if (!check_json(log, json, size))
		return NULL;
	tokener = create_tokener(size);
	if (tokener) {
		object = json_tokener_parse_ex(tokener, json, (int)size);
		error = json_tokener_get_error(tokener);
	}
	if (error != json_tokener_success)
		config_error(log, no_position, "invalid JSON at byte %zu: %s",
			     json_tokener_get_parse_end(tokener), json_tokener_error_desc(error));
	else if (!object)
		log->out_of_memory = true;
	free_tokener(tokener);
	return object;
}

struct config_tree *config_state_tree(struct config_log *log, const char *json, size_t size)
{
	struct builder builder = { .log = log };
	struct json_object *object;
	struct config_node *root;

	if (size > STATE_JSON_MAX) {
		config_error(log, no_position, "larger than the %u bytes that META can hold",
			     STATE_JSON_MAX);
		return NULL;
	}
	/* For an object json-c recognizes the end, and returns NULL only without memory. */
	if (size == 0 || json[0] != '{') {
		config_error(log, no_position, "the JSON is not an object");
		return NULL;
	}
	object = parse_json(log, json, size);
	if (!object)
		return NULL;
	builder.tree = calloc(1, sizeof(*builder.tree));
	root = builder.tree ? add_node(&builder, CONFIG_MAPPING) : NULL;
	if (root && (root->child = add_word(&builder, encryption.yaml)) &&
	    (root->child->next = add_value(&builder, object, &encryption))) {
		builder.tree->document[builder.tree->document_count++] = root;
	} else {
		config_tree_free(builder.tree);
		builder.tree = NULL;
	}
	if (!builder.tree && log->errors == 0)
		log->out_of_memory = true;
	wipe_object(object);
	json_object_put(object);
	return builder.tree;
}
