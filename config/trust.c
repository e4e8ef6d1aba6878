/* SPDX-License-Identifier: MIT */
/* Reading a trust file, and joining two sources. */
#include "config/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/trust_member.h"

#define KINDS	  4u
#define ALL_KINDS ((1u << KINDS) - 1)

struct config_trust *config_trust_new(void)
{
	struct config_trust *trust = calloc(1, sizeof(*trust));

	if (trust) {
		trust->state_keys = ALL_KINDS;
		trust->node_id_count = 1;
	}
	return trust;
}

static void clear_list(struct config_trust_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->text[i]);
	free(list->text);
	*list = (struct config_trust_list){ 0 };
}

void config_trust_free(struct config_trust *trust)
{
	if (!trust)
		return;
	clear_list(&trust->kms_endpoints[0]);
	clear_list(&trust->kms_endpoints[1]);
	free(trust->kms_ca);
	free(trust);
}

static void set_flag(struct config_log *log, const struct config_trust_value *value, bool *flag)
{
	if (!strcmp(value->text, "true") || !strcmp(value->text, "false"))
		*flag = value->text[0] == 't';
	else
		config_error(log, value->position, "\"%s\" must be true or false", value->name);
}

static void add_kind(struct config_log *log, const struct config_trust_value *value,
		     struct config_trust *trust)
{
	char shown[CONFIG_PRINTABLE_SIZE];

	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (strcmp(value->text, config_key_kind_name((enum config_key_kind)kind)) != 0)
			continue;
		trust->state_keys |= 1u << kind;
		return;
	}
	config_error(log, value->position,
		     "unknown kind of key \"%s\"; use static, nodeID, kms or tpm",
		     config_printable(value->text, strlen(value->text), shown));
}

static void add_node_id(struct config_log *log, const struct config_trust_value *value,
			struct config_trust *trust)
{
	static const char *const names[CONFIG_NODE_IDS] = { "smbios", "device-tree", "machine-id" };
	char shown[CONFIG_PRINTABLE_SIZE];
	unsigned id = 0;

	while (id < CONFIG_NODE_IDS && strcmp(value->text, names[id]) != 0)
		id++;
	for (size_t i = 0; i < trust->node_id_count; i++)
		if (trust->node_ids[i] == id) {
			config_error(log, value->position, "%s is listed twice", names[id]);
			return;
		}
	if (id < CONFIG_NODE_IDS)
		trust->node_ids[trust->node_id_count++] = (enum config_node_id)id;
	else
		config_error(log, value->position,
			     "unknown name of a machine \"%s\"; use smbios, device-tree or "
			     "machine-id",
			     config_printable(value->text, strlen(value->text), shown));
}

static void set_headers(struct config_log *log, const struct config_trust_value *value,
			struct config_trust *trust)
{
	if (!strcmp(value->text, "sealed") || !strcmp(value->text, "adopt"))
		trust->headers_sealed = value->text[0] == 's';
	else
		config_error(log, value->position, "\"%s\" must be sealed or adopt", value->name);
}

static void add_endpoint(struct config_log *log, const struct config_trust_value *value,
			 struct config_trust_list *list)
{
	char **grown = realloc(list->text, (list->count + 1) * sizeof(*grown));

	if (grown)
		list->text = grown;
	if (!grown || !(grown[list->count] = config_strdup(log, value->text))) {
		log->out_of_memory = true;
		return;
	}
	list->count++;
	list->given = true;
}

void config_trust_set(struct config_log *log, enum config_trust_member member,
		      const struct config_trust_value *value, struct config_trust *trust)
{
	if (member == CONFIG_TRUST_STATE_KEYS && !(trust->given & 1u << member))
		trust->state_keys = 0;
	if (member == CONFIG_TRUST_NODE_ID && !(trust->given & 1u << member))
		trust->node_id_count = 0;
	trust->given |= 1u << member;
	switch (member) {
	case CONFIG_TRUST_STATE_ENCRYPTED:
		set_flag(log, value, &trust->state_encrypted);
		break;
	case CONFIG_TRUST_STATE_KEYS:
		add_kind(log, value, trust);
		break;
	case CONFIG_TRUST_HEADERS:
		set_headers(log, value, trust);
		break;
	case CONFIG_TRUST_KMS_ENDPOINTS:
		add_endpoint(log, value, &trust->kms_endpoints[0]);
		break;
	case CONFIG_TRUST_KMS_INSECURE:
		set_flag(log, value, &trust->kms_insecure);
		break;
	case CONFIG_TRUST_KMS_CA:
		if (value->text[0] != '/')
			config_error(log, value->position, "\"%s\" must be an absolute path",
				     value->name);
		free(trust->kms_ca);
		trust->kms_ca = config_strdup(log, value->text);
		break;
	case CONFIG_TRUST_META_NODE_UUID:
		set_flag(log, value, &trust->meta_node_uuid);
		break;
	case CONFIG_TRUST_NODE_ID:
		add_node_id(log, value, trust);
		break;
	case CONFIG_TRUST_MEMBERS:
		break;
	}
}

static bool was_given(const struct config_trust *trust, enum config_trust_member member)
{
	return trust->given & 1u << member;
}

/* Keys that nothing obliges to be used would restrict nothing. */
static void check_keys(struct config_log *log, struct config_trust *trust)
{
	if (!was_given(trust, CONFIG_TRUST_STATE_KEYS))
		return;
	if (was_given(trust, CONFIG_TRUST_STATE_ENCRYPTED) && !trust->state_encrypted)
		config_error(log, (struct config_position){ 0 },
			     "the kinds of STATE's keys are listed, but STATE need not be "
			     "encrypted; remove one of the two");
	trust->state_encrypted = true;
}

enum mortise_code config_trust_finish(struct config_log *log, const char *source,
				      struct config_trust *made, struct config_trust **out,
				      struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	*out = NULL;
	if (made)
		check_keys(log, made);
	config_diagnostics_sort(log->diagnostics);
	if (!made || log->out_of_memory)
		code = error_set(err, MORTISE_E_MEMORY, 0, "%s: not enough memory to read it",
				 source);
	else if (log->errors)
		code = config_errors_report(log, source, err);
	config_diagnostics_clear(log->diagnostics);
	if (code) {
		config_trust_free(made);
		return code;
	}
	if (made->given)
		snprintf(made->source, sizeof(made->source), "%s", source);
	*out = made;
	return MORTISE_OK;
}

static void read_item(struct config_log *log, const struct config_field *field,
		      enum config_trust_member member, struct config_trust *trust)
{
	struct config_trust_value value = { .name = field->name };

	if (!config_field_text(log, field, &value.text))
		return;
	value.position = field->value->position;
	config_trust_set(log, member, &value, trust);
}

static void read_list(struct config_log *log, const struct config_field *field,
		      enum config_trust_member member, struct config_trust *trust)
{
	if (!config_field_list(log, field))
		return;
	trust->given |= 1u << member;
	if (member == CONFIG_TRUST_KMS_ENDPOINTS)
		trust->kms_endpoints[0].given = true; /* an empty list permits no KMS */
	else if (member == CONFIG_TRUST_NODE_ID)
		trust->node_id_count = 0;
	else
		trust->state_keys = 0;
	if (member != CONFIG_TRUST_KMS_ENDPOINTS && !field->value->child)
		config_error(log, field->value->position, "\"%s\" is empty", field->name);
	for (const struct config_node *item = field->value->child; item; item = item->next) {
		const struct config_field entry = { .name = field->name, .value = item };

		read_item(log, &entry, member, trust);
	}
}

/* False: the member is missing, or has no value, which is an error. */
static bool has_value(struct config_log *log, const struct config_field *field)
{
	if (field->key && !field->value)
		config_error(log, field->key->position, "\"%s\" has no value", field->name);
	return field->value;
}

/* A mapping in the file, whose members are consecutive in enum config_trust_member. */
struct section {
	struct config_schema schema;
	enum config_trust_member first;
};

static void read_section(struct config_log *log, const struct config_field *field,
			 const struct section *section, struct config_trust *trust)
{
	struct config_field member[3] = { 0 };

	if (!has_value(log, field) || !config_field_mapping(log, field))
		return;
	config_fields_read(log, field->value, &section->schema, member);
	for (size_t i = 0; i < section->schema.count; i++) {
		enum config_trust_member which = section->first + (unsigned)i;

		if (!has_value(log, &member[i]))
			continue;
		if (which == CONFIG_TRUST_STATE_KEYS || which == CONFIG_TRUST_KMS_ENDPOINTS)
			read_list(log, &member[i], which, trust);
		else
			read_item(log, &member[i], which, trust);
	}
}

static void read_root(struct config_log *log, const struct config_node *root,
		      struct config_trust *trust)
{
	static const char *const names[] = { "state", "headers", "kms", "meta", "node-id" };
	static const char *const state[] = { "encrypted", "keys" };
	static const char *const kms[] = { "endpoints", "insecure", "ca" };
	static const char *const meta[] = { "node-uuid" };
	static const struct config_schema schema = { .names = names, .count = 5 };
	static const struct section sections[] = {
		[0] = { { .names = state, .count = 2 }, CONFIG_TRUST_STATE_ENCRYPTED },
		[2] = { { .names = kms, .count = 3 }, CONFIG_TRUST_KMS_ENDPOINTS },
		[3] = { { .names = meta, .count = 1 }, CONFIG_TRUST_META_NODE_UUID },
	};
	struct config_field field[5] = { 0 };

	if (root->kind != CONFIG_MAPPING) {
		config_error(log, root->position, "the file must be a mapping, not %s",
			     config_node_kind_name(root));
		return;
	}
	config_fields_read(log, root, &schema, field);
	read_section(log, &field[0], &sections[0], trust);
	if (has_value(log, &field[1]))
		read_item(log, &field[1], CONFIG_TRUST_HEADERS, trust);
	read_section(log, &field[2], &sections[2], trust);
	read_section(log, &field[3], &sections[3], trust);
	if (has_value(log, &field[4]))
		read_list(log, &field[4], CONFIG_TRUST_NODE_ID, trust);
}

enum mortise_code config_trust_parse(const char *text, size_t size, const char *source,
				     struct config_trust **out, struct mortise_error *err)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_trust *trust = config_trust_new();
	struct config_tree *tree = trust ? config_tree_parse(text, size, &log) : NULL;

	/* A file that a power cut has emptied must not mean the defaults. */
	if (tree && !log.errors && tree->document_count != 1)
		config_error(&log, (struct config_position){ 0 }, "%s",
			     tree->document_count ? "more than one document"
						  : "the file is empty; remove it, or write {}");
	if (tree && !log.errors)
		read_root(&log, tree->document[0], trust);
	config_tree_free(tree);
	return config_trust_finish(&log, source, trust, out, err);
}

/* A permission holds only if each source that mentions it gives it. */
static bool join_permission(const struct config_trust *trust, bool permits,
			    const struct config_trust *from, bool from_permits,
			    enum config_trust_member member)
{
	if (was_given(trust, member) && was_given(from, member))
		return permits && from_permits;
	return permits || from_permits;
}

/* Keeps the names that both list, in the order of trust. */
static void join_node_ids(struct config_trust *trust, const struct config_trust *from)
{
	size_t kept = 0;

	if (!was_given(from, CONFIG_TRUST_NODE_ID))
		return;
	if (!was_given(trust, CONFIG_TRUST_NODE_ID)) {
		memcpy(trust->node_ids, from->node_ids, sizeof(trust->node_ids));
		trust->node_id_count = from->node_id_count;
		return;
	}
	for (size_t i = 0; i < trust->node_id_count; i++)
		for (size_t j = 0; j < from->node_id_count; j++)
			if (trust->node_ids[i] == from->node_ids[j])
				trust->node_ids[kept++] = trust->node_ids[i];
	trust->node_id_count = kept;
}

static enum mortise_code join_ca(struct config_trust *trust, struct config_trust *from,
				 struct mortise_error *err)
{
	if (trust->kms_ca && from->kms_ca && strcmp(trust->kms_ca, from->kms_ca) != 0)
		return error_set(err, MORTISE_E_CONFIG, 0,
				 "%s and %s pin different CA certificates of the KMS (%.100s, "
				 "%.100s)",
				 trust->source, from->source, trust->kms_ca, from->kms_ca);
	if (!trust->kms_ca) {
		trust->kms_ca = from->kms_ca;
		from->kms_ca = NULL;
	}
	return MORTISE_OK;
}

enum mortise_code config_trust_join(struct config_trust *trust, struct config_trust *from,
				    struct mortise_error *err)
{
	size_t used = strlen(trust->source);

	trust->state_encrypted |= from->state_encrypted;
	trust->state_keys &= from->state_keys;
	trust->headers_sealed |= from->headers_sealed;
	trust->kms_insecure = join_permission(trust, trust->kms_insecure, from, from->kms_insecure,
					      CONFIG_TRUST_KMS_INSECURE);
	trust->meta_node_uuid = join_permission(trust, trust->meta_node_uuid, from,
						from->meta_node_uuid, CONFIG_TRUST_META_NODE_UUID);
	if (from->kms_endpoints[0].given) {
		trust->kms_endpoints[1] = from->kms_endpoints[0];
		from->kms_endpoints[0] = (struct config_trust_list){ 0 };
	}
	join_node_ids(trust, from);
	trust->given |= from->given;
	if (!trust->node_id_count)
		return error_set(err, MORTISE_E_CONFIG, 0,
				 "%s and %s have no entry of node-id in common", trust->source,
				 from->source);
	if (!trust->state_keys)
		return error_set(err, MORTISE_E_CONFIG, 0,
				 "%s and %s have no kind of key for STATE in common", trust->source,
				 from->source);
	if (join_ca(trust, from, err))
		return MORTISE_E_CONFIG;
	snprintf(trust->source + used, sizeof(trust->source) - used, "%s%s",
		 used && *from->source ? " and " : "", from->source);
	return MORTISE_OK;
}
