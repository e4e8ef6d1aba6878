/* SPDX-License-Identifier: MIT */
/* Telling documents apart by kind. */
#include <stdio.h>
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
 * No other kind of Talos is spelled like these or contains "encryption". Ignoring a misspelled one
 * would leave a volume unencrypted.
 */
static bool refuse_typo(struct config_log *log, const struct config_node *kind)
{
	static const char *const stems[KINDS] = { "Volume", "UserVolume", "RawVolume",
						  "SwapVolume" };
	char shown[CONFIG_PRINTABLE_SIZE];

	for (size_t i = 0; i < KINDS; i++) {
		if (config_node_distance(kind, kind_names[i]) > CONFIG_TYPO_MAX &&
		    config_node_distance(kind, stems[i]) > 1)
			continue;
		config_error(
			log, kind->position, "kind \"%s\": did you mean \"%s\"?",
			config_printable(config_node_text(kind), config_node_size(kind), shown),
			kind_names[i]);
		return true;
	}
	return false;
}

static bool refuse_encryption(struct config_log *log, const struct config_node *root,
			      const struct config_node *kind)
{
	static const char *const words[] = { "user", "raw", "swap", "" };
	static const char *const names[] = { "UserVolumeConfig", "RawVolumeConfig",
					     "SwapVolumeConfig", "VolumeConfig" };
	const struct config_node *key = root->child;
	char shown[CONFIG_PRINTABLE_SIZE];
	size_t i = 0;

	while (key && (key->kind != CONFIG_SCALAR ||
		       config_node_distance(key, "encryption") > CONFIG_TYPO_MAX))
		key = key->next->next;
	if (!key)
		return false;
	while (!strcasestr(config_node_text(kind), words[i]))
		i++;
	config_error(log, kind->position, "unknown kind \"%s\" with encryption; use \"%s\"",
		     config_printable(config_node_text(kind), config_node_size(kind), shown),
		     names[i]);
	return true;
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
	config_error(log, root->position, "kind is missing; use " ALL_KINDS);
	return CONFIG_DOCUMENT_NOTHING;
}

enum config_document_kind config_document_kind(struct config_log *log,
					       const struct config_node *root,
					       enum config_volume_kind *kind)
{
	const struct config_node *name;

	if (root->kind != CONFIG_MAPPING) {
		if (!config_node_null(root))
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
		check_version(log, root, config_node_child(root, "apiVersion"));
		return CONFIG_DOCUMENT_VOLUME;
	}
	if (name->kind != CONFIG_SCALAR) {
		config_error(log, name->position, "\"kind\" must be text");
		return CONFIG_DOCUMENT_NOTHING;
	}
	return refuse_typo(log, name) || refuse_encryption(log, root, name) ||
			       refuse_two_kinds(log, root)
		       ? CONFIG_DOCUMENT_NOTHING
		       : CONFIG_DOCUMENT_OTHER;
}

/* Are both the same text, or both missing? */
static bool is_same(const struct config_node *a, const struct config_node *b, const char *name)
{
	a = config_node_child(a, name);
	b = config_node_child(b, name);
	if (!a || !b || a->kind != CONFIG_SCALAR || b->kind != CONFIG_SCALAR)
		return a == b;
	return config_node_size(a) == config_node_size(b) &&
	       memcmp(config_node_text(a), config_node_text(b), config_node_size(a)) == 0;
}

void config_check_repeated(struct config_log *log, const struct config_node *const *document,
			   size_t count)
{
	const struct config_node *last = document[count - 1];
	const struct config_node *kind = config_node_child(last, "kind");
	char shown[CONFIG_PRINTABLE_SIZE];

	for (size_t i = 0; i + 1 < count; i++) {
		if (!is_same(document[i], last, "kind") || !is_same(document[i], last, "name") ||
		    !is_same(document[i], last, "apiVersion"))
			continue;
		config_error(
			log, last->position,
			"duplicate document: the %s in line %u is already declared in line %u",
			config_printable(config_node_text(kind), config_node_size(kind), shown),
			last->position.line, document[i]->position.line);
		return;
	}
}

/* Is it the first document of its kind? */
static bool is_first(const struct config_node *const *document, size_t which)
{
	for (size_t i = 0; i < which; i++)
		if (is_same(document[i], document[which], "kind"))
			return false;
	return true;
}

void config_report_ignored(struct config_log *log, const struct config_node *const *document,
			   size_t count)
{
	char list[200] = "", shown[CONFIG_PRINTABLE_SIZE];
	const char *more = "";
	size_t used = 0;

	if (count == 0)
		return;
	for (size_t i = 0; i < count && !*more; i++) {
		const struct config_node *kind = config_node_child(document[i], "kind");

		if (!is_first(document, i))
			continue;
		config_printable(config_node_text(kind), config_node_size(kind), shown);
		if (used + strlen(shown) + 2 < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used ? ", " : "", shown);
		else
			more = ", ...";
	}
	config_notice(log, document[0]->position, "%zu document%s of other kinds %s ignored: %s%s",
		      count, count > 1 ? "s" : "", count > 1 ? "are" : "is", list, more);
}
