/* SPDX-License-Identifier: MIT */
/* Telling documents apart by kind. */
#include <string.h>

#include "config/volume.h"

static const char *const kind_names[] = {
	[CONFIG_VOLUME_SYSTEM] = "VolumeConfig",
	[CONFIG_VOLUME_USER] = "UserVolumeConfig",
	[CONFIG_VOLUME_RAW] = "RawVolumeConfig",
	[CONFIG_VOLUME_SWAP] = "SwapVolumeConfig",
};

#define KINDS	  (sizeof(kind_names) / sizeof(kind_names[0]))
#define ALL_KINDS "VolumeConfig, UserVolumeConfig, RawVolumeConfig or SwapVolumeConfig"

const char *config_document_name(enum config_volume_kind kind)
{
	return (unsigned)kind < KINDS ? kind_names[kind] : "?";
}

static void check_version(struct config_log *log, const struct config_node *root,
			  const struct config_node *version)
{
	char shown[CONFIG_PRINTABLE_SIZE];

	if (!version)
		config_error(log, root->position,
			     "apiVersion is missing: add \"apiVersion: v1alpha1\"");
	else if (version->kind != CONFIG_SCALAR)
		config_error(log, version->position, "\"apiVersion\" must be text");
	else if (!config_node_is(version, "v1alpha1"))
		config_error(log, version->position, "unsupported apiVersion \"%s\"; use v1alpha1",
			     config_printable(config_node_text(version), config_node_size(version),
					      shown));
}

/*
 * No other kind of Talos is spelled like these. Ignoring a misspelled one would leave a volume
 * unencrypted.
 */
static bool refuse_typo(struct config_log *log, const struct config_node *kind)
{
	char shown[CONFIG_PRINTABLE_SIZE];

	for (size_t i = 0; i < KINDS; i++) {
		if (config_node_distance(kind, kind_names[i]) > CONFIG_TYPO_MAX)
			continue;
		config_error(
			log, kind->position, "kind \"%s\": did you mean \"%s\"?",
			config_printable(config_node_text(kind), config_node_size(kind), shown),
			kind_names[i]);
		return true;
	}
	return false;
}

/* Only the first kind counts: a volume declared by the second one would be ignored. */
static bool refuse_two_kinds(struct config_log *log, const struct config_node *root)
{
	const struct config_node *first = NULL;

	for (const struct config_node *key = root->child; key; key = key->next->next) {
		if (!config_node_is(key, "kind"))
			continue;
		if (first) {
			config_error(log, key->position,
				     "\"kind\" is given twice, first in line %u",
				     first->position.line);
			return true;
		}
		first = key;
	}
	return false;
}

static enum config_document_kind identify_without_kind(struct config_log *log,
						       const struct config_node *root)
{
	if (!config_node_child(root, "apiVersion") && !config_node_child(root, "name") &&
	    config_is_machine_document(root))
		return CONFIG_DOCUMENT_MACHINE;
	config_node_check_strict(log, root);
	config_error(log, root->position, "kind is missing; use " ALL_KINDS);
	return CONFIG_DOCUMENT_NOTHING;
}

enum config_document_kind config_document_kind(struct config_log *log,
					       const struct config_node *root,
					       enum config_volume_kind *kind)
{
	const struct config_node *name;

	if (root->kind != CONFIG_MAPPING) {
		config_node_check_strict(log, root);
		if (root->kind != CONFIG_ALIAS && !config_node_null(root))
			config_error(log, root->position, "a document must be a mapping, not %s",
				     config_node_kind_name(root));
		return CONFIG_DOCUMENT_NOTHING;
	}
	name = config_node_child(root, "kind");
	if (!name)
		return identify_without_kind(log, root);
	for (size_t i = 0; i < KINDS; i++) {
		if (!config_node_is(name, kind_names[i]))
			continue;
		*kind = (enum config_volume_kind)i;
		config_node_check_strict(log, root);
		check_version(log, root, config_node_child(root, "apiVersion"));
		return CONFIG_DOCUMENT_VOLUME;
	}
	if (name->kind != CONFIG_SCALAR) {
		config_node_check_strict(log, name);
		config_error(log, name->position, "\"kind\" must be text");
		return CONFIG_DOCUMENT_NOTHING;
	}
	return refuse_typo(log, name) || refuse_two_kinds(log, root) ? CONFIG_DOCUMENT_NOTHING
								     : CONFIG_DOCUMENT_OTHER;
}

static bool is_same_text(const struct config_node *a, const struct config_node *b)
{
	return config_node_size(a) == config_node_size(b) &&
	       memcmp(config_node_text(a), config_node_text(b), config_node_size(a)) == 0;
}

/* Counts the documents with the kind of document[which]; 0 if an earlier one has it. */
static size_t count_kind(const struct config_node *const *document, size_t count, size_t which)
{
	const struct config_node *kind = config_node_child(document[which], "kind");
	size_t same = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_same_text(config_node_child(document[i], "kind"), kind))
			continue;
		if (i < which)
			return 0;
		same++;
	}
	return same;
}

void config_report_ignored(struct config_log *log, const struct config_node *const *document,
			   size_t count)
{
	char shown[CONFIG_PRINTABLE_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct config_node *kind = config_node_child(document[i], "kind");
		size_t same = count_kind(document, count, i);

		if (same == 0)
			continue;
		config_printable(config_node_text(kind), config_node_size(kind), shown);
		if (same == 1)
			config_notice(log, kind->position, "kind %s is ignored", shown);
		else
			config_notice(log, kind->position, "kind %s is ignored: %zu documents",
				      shown, same);
	}
}
