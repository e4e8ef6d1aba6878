/* SPDX-License-Identifier: MIT */
/* Which kind of document it is: one of ours, a machine configuration, another's. */
#include <string.h>

#include "meta/volume.h"

static const char *const kind_names[] = {
	[META_VOLUME_SYSTEM] = "VolumeConfig",
	[META_VOLUME_USER] = "UserVolumeConfig",
	[META_VOLUME_RAW] = "RawVolumeConfig",
	[META_VOLUME_SWAP] = "SwapVolumeConfig",
};

#define KINDS	  (sizeof(kind_names) / sizeof(kind_names[0]))
#define ALL_KINDS "VolumeConfig, UserVolumeConfig, RawVolumeConfig or SwapVolumeConfig"

const char *meta_document_name(enum meta_volume_kind kind)
{
	return (unsigned)kind < KINDS ? kind_names[kind] : "?";
}

static void version_check(struct meta_log *log, const struct meta_node *root,
			  const struct meta_node *version)
{
	char shown[META_SHOW_ROOM];

	if (!version)
		meta_error(log, root->place, "apiVersion is missing: add \"apiVersion: v1alpha1\"");
	else if (version->kind != META_SCALAR)
		meta_error(log, version->place, "\"apiVersion\" must be text");
	else if (!meta_node_is(version, "v1alpha1"))
		meta_error(log, version->place,
			   "apiVersion \"%s\" is not read by this version; v1alpha1 is",
			   meta_show(meta_node_text(version), meta_node_size(version), shown));
}

/* Talos has no kind that is so near to one of ours; a typing mistake would leave it in plain. */
static bool is_typo(struct meta_log *log, const struct meta_node *kind)
{
	char shown[META_SHOW_ROOM];

	for (size_t i = 0; i < KINDS; i++) {
		if (meta_node_distance(kind, kind_names[i]) > META_TYPO_MAX)
			continue;
		meta_error(log, kind->place, "kind \"%s\": did you mean \"%s\"?",
			   meta_show(meta_node_text(kind), meta_node_size(kind), shown),
			   kind_names[i]);
		return true;
	}
	return false;
}

/* The first would count, and a volume be passed over for the second. */
static bool has_two_kinds(struct meta_log *log, const struct meta_node *root)
{
	const struct meta_node *first = NULL;

	for (const struct meta_node *key = root->child; key; key = key->next->next) {
		if (!meta_node_is(key, "kind"))
			continue;
		if (first) {
			meta_error(log, key->place, "\"kind\" is given twice, first in line %u",
				   first->place.line);
			return true;
		}
		first = key;
	}
	return false;
}

static enum meta_document_kind without_kind(struct meta_log *log, const struct meta_node *root)
{
	if (!meta_node_child(root, "apiVersion") && !meta_node_child(root, "name") &&
	    meta_machine_is(root))
		return META_DOCUMENT_MACHINE;
	meta_node_strict(log, root);
	meta_error(log, root->place, "kind is missing: " ALL_KINDS);
	return META_DOCUMENT_NOTHING;
}

enum meta_document_kind meta_document_kind(struct meta_log *log, const struct meta_node *root,
					   enum meta_volume_kind *kind)
{
	const struct meta_node *name;

	if (root->kind != META_MAPPING) {
		meta_node_strict(log, root);
		if (root->kind != META_REFUSED && !meta_node_null(root))
			meta_error(log, root->place, "a document must be a mapping, not %s",
				   meta_node_kind_name(root));
		return META_DOCUMENT_NOTHING;
	}
	name = meta_node_child(root, "kind");
	if (!name)
		return without_kind(log, root);
	for (size_t i = 0; i < KINDS; i++) {
		if (!meta_node_is(name, kind_names[i]))
			continue;
		*kind = (enum meta_volume_kind)i;
		meta_node_strict(log, root);
		version_check(log, root, meta_node_child(root, "apiVersion"));
		return META_DOCUMENT_VOLUME;
	}
	if (name->kind != META_SCALAR) {
		meta_node_strict(log, name);
		meta_error(log, name->place, "\"kind\" must be text");
		return META_DOCUMENT_NOTHING;
	}
	return is_typo(log, name) || has_two_kinds(log, root) ? META_DOCUMENT_NOTHING
							      : META_DOCUMENT_OTHER;
}

static bool same_text(const struct meta_node *a, const struct meta_node *b)
{
	return meta_node_size(a) == meta_node_size(b) &&
	       memcmp(meta_node_text(a), meta_node_text(b), meta_node_size(a)) == 0;
}

/* How many of them are of this kind; 0 when an earlier one was. */
static size_t count_kind(const struct meta_node *const *document, size_t count, size_t which)
{
	const struct meta_node *kind = meta_node_child(document[which], "kind");
	size_t same = 0;

	for (size_t i = 0; i < count; i++) {
		if (!same_text(meta_node_child(document[i], "kind"), kind))
			continue;
		if (i < which)
			return 0;
		same++;
	}
	return same;
}

void meta_document_pass_over(struct meta_log *log, const struct meta_node *const *document,
			     size_t count)
{
	char shown[META_SHOW_ROOM];

	for (size_t i = 0; i < count; i++) {
		const struct meta_node *kind = meta_node_child(document[i], "kind");
		size_t same = count_kind(document, count, i);

		if (same == 0)
			continue;
		meta_show(meta_node_text(kind), meta_node_size(kind), shown);
		if (same == 1)
			meta_notice(log, kind->place, "kind %s is passed over", shown);
		else
			meta_notice(log, kind->place, "kind %s is passed over: %zu documents",
				    shown, same);
	}
}
