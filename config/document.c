/* SPDX-License-Identifier: MIT */
/* Which kind of document it is: one of ours, a machine configuration, another's. */
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

static void version_check(struct config_log *log, const struct config_node *root,
			  const struct config_node *version)
{
	char shown[CONFIG_SHOW_ROOM];

	if (!version)
		config_error(log, root->place,
			     "apiVersion is missing: add \"apiVersion: v1alpha1\"");
	else if (version->kind != CONFIG_SCALAR)
		config_error(log, version->place, "\"apiVersion\" must be text");
	else if (!config_node_is(version, "v1alpha1"))
		config_error(
			log, version->place,
			"apiVersion \"%s\" is not read by this version; v1alpha1 is",
			config_show(config_node_text(version), config_node_size(version), shown));
}

/* Talos has no kind that is so near to one of ours; a typing mistake would leave it in plain. */
static bool is_typo(struct config_log *log, const struct config_node *kind)
{
	char shown[CONFIG_SHOW_ROOM];

	for (size_t i = 0; i < KINDS; i++) {
		if (config_node_distance(kind, kind_names[i]) > CONFIG_TYPO_MAX)
			continue;
		config_error(log, kind->place, "kind \"%s\": did you mean \"%s\"?",
			     config_show(config_node_text(kind), config_node_size(kind), shown),
			     kind_names[i]);
		return true;
	}
	return false;
}

/* The first would count, and a volume be passed over for the second. */
static bool has_two_kinds(struct config_log *log, const struct config_node *root)
{
	const struct config_node *first = NULL;

	for (const struct config_node *key = root->child; key; key = key->next->next) {
		if (!config_node_is(key, "kind"))
			continue;
		if (first) {
			config_error(log, key->place, "\"kind\" is given twice, first in line %u",
				     first->place.line);
			return true;
		}
		first = key;
	}
	return false;
}

static enum config_document_kind without_kind(struct config_log *log,
					      const struct config_node *root)
{
	if (!config_node_child(root, "apiVersion") && !config_node_child(root, "name") &&
	    config_machine_is(root))
		return CONFIG_DOCUMENT_MACHINE;
	config_node_strict(log, root);
	config_error(log, root->place, "kind is missing: " ALL_KINDS);
	return CONFIG_DOCUMENT_NOTHING;
}

enum config_document_kind config_document_kind(struct config_log *log,
					       const struct config_node *root,
					       enum config_volume_kind *kind)
{
	const struct config_node *name;

	if (root->kind != CONFIG_MAPPING) {
		config_node_strict(log, root);
		if (root->kind != CONFIG_REFUSED && !config_node_null(root))
			config_error(log, root->place, "a document must be a mapping, not %s",
				     config_node_kind_name(root));
		return CONFIG_DOCUMENT_NOTHING;
	}
	name = config_node_child(root, "kind");
	if (!name)
		return without_kind(log, root);
	for (size_t i = 0; i < KINDS; i++) {
		if (!config_node_is(name, kind_names[i]))
			continue;
		*kind = (enum config_volume_kind)i;
		config_node_strict(log, root);
		version_check(log, root, config_node_child(root, "apiVersion"));
		return CONFIG_DOCUMENT_VOLUME;
	}
	if (name->kind != CONFIG_SCALAR) {
		config_node_strict(log, name);
		config_error(log, name->place, "\"kind\" must be text");
		return CONFIG_DOCUMENT_NOTHING;
	}
	return is_typo(log, name) || has_two_kinds(log, root) ? CONFIG_DOCUMENT_NOTHING
							      : CONFIG_DOCUMENT_OTHER;
}

static bool same_text(const struct config_node *a, const struct config_node *b)
{
	return config_node_size(a) == config_node_size(b) &&
	       memcmp(config_node_text(a), config_node_text(b), config_node_size(a)) == 0;
}

/* How many of them are of this kind; 0 when an earlier one was. */
static size_t count_kind(const struct config_node *const *document, size_t count, size_t which)
{
	const struct config_node *kind = config_node_child(document[which], "kind");
	size_t same = 0;

	for (size_t i = 0; i < count; i++) {
		if (!same_text(config_node_child(document[i], "kind"), kind))
			continue;
		if (i < which)
			return 0;
		same++;
	}
	return same;
}

void config_document_pass_over(struct config_log *log, const struct config_node *const *document,
			       size_t count)
{
	char shown[CONFIG_SHOW_ROOM];

	for (size_t i = 0; i < count; i++) {
		const struct config_node *kind = config_node_child(document[i], "kind");
		size_t same = count_kind(document, count, i);

		if (same == 0)
			continue;
		config_show(config_node_text(kind), config_node_size(kind), shown);
		if (same == 1)
			config_notice(log, kind->place, "kind %s is passed over", shown);
		else
			config_notice(log, kind->place, "kind %s is passed over: %zu documents",
				      shown, same);
	}
}
