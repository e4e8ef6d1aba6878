/* SPDX-License-Identifier: MIT */
/* The whole configuration: all documents, no volume twice, STATE before the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/error.h"
#include "meta/config.h"
#include "meta/volume.h"

struct document {
	enum meta_document_kind kind;
	struct meta_volume volume;
};

static const char *kind_name(enum meta_document_kind kind)
{
	return kind == META_DOCUMENT_USER ? "UserVolumeConfig" : "VolumeConfig";
}

/* Documents are told apart by kind and name. */
static void repeated_check(struct meta_log *log, const struct document *document, size_t count,
			   struct meta_place place)
{
	const struct document *last = &document[count - 1];
	char shown[META_SHOW_ROOM];

	if (last->kind == META_DOCUMENT_OTHER || !last->volume.name || !*last->volume.name)
		return;
	for (size_t i = 0; i + 1 < count; i++) {
		if (document[i].kind != last->kind || !document[i].volume.name ||
		    strcmp(document[i].volume.name, last->volume.name) != 0)
			continue;
		meta_show(last->volume.name, strlen(last->volume.name), shown);
		meta_error(log, place, "%s \"%s\" in line %u is declared already in line %u",
			   kind_name(last->kind), shown, last->volume.line,
			   document[i].volume.line);
		return;
	}
}

#define RANKS 8u

/* STATE comes first; then by depth of the mount point, so that /var is there before /var/mnt/x. */
static unsigned rank_of(const struct meta_volume *volume)
{
	const char *at = volume->mount_point ? volume->mount_point : "/";
	unsigned depth = 0;

	if (strcmp(volume->id, "STATE") == 0)
		return 0;
	for (; *at; at++)
		depth += *at == '/' && depth < RANKS - 1;
	return depth;
}

/* Moves the volumes that there is something to do for, in the order of their rank. */
static struct meta_config *config_make(struct document *document, size_t count)
{
	struct meta_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->volumes = calloc(count ? count : 1, sizeof(*config->volumes));
	if (!config->volumes) {
		free(config);
		return NULL;
	}
	for (unsigned rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < count; i++) {
			struct meta_volume *volume = &document[i].volume;

			if (!volume->id || rank_of(volume) != rank)
				continue;
			config->volumes[config->volume_count++] = *volume;
			*volume = (struct meta_volume){ 0 };
		}
	}
	return config;
}

static struct meta_config *documents_read(struct meta_log *log, const struct meta_tree *tree)
{
	struct document *document = calloc(tree->document_count + 1, sizeof(*document));
	struct meta_config *config = NULL;

	if (!document) {
		log->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < tree->document_count; i++) {
		document[i].kind = meta_document_read(log, tree->document[i], &document[i].volume);
		repeated_check(log, document, i + 1, tree->document[i]->place);
	}
	if (log->errors == 0 && !log->no_memory) {
		config = config_make(document, tree->document_count);
		log->no_memory = !config;
	}
	if (config && config->volume_count == 0)
		meta_notice(log, (struct meta_place){ 0 }, "no volume is declared");
	for (size_t i = 0; i < tree->document_count; i++)
		meta_volume_clear(&document[i].volume);
	free(document);
	return config;
}

static enum mortise_code errors_report(const struct meta_log *log, const char *source,
				       struct mortise_error *err)
{
	const struct meta_remark *first = log->remarks->remark;
	char more[40] = "";

	while (!first->error)
		first++;
	if (log->errors > 1)
		snprintf(more, sizeof(more), " (%zu errors in all)", log->errors);
	if (first->line == 0)
		return error_set(err, MORTISE_E_CONFIG, 0, "%s: %s%s", source, first->text, more);
	return error_set(err, MORTISE_E_CONFIG, 0, "%s:%u:%u: %s%s", source, first->line,
			 first->column, first->text, more);
}

enum mortise_code meta_config_parse(const char *text, size_t size, const char *source,
				    struct meta_config **config, struct meta_remarks *remarks,
				    struct mortise_error *err)
{
	struct meta_log log = { .remarks = remarks };
	struct meta_tree *tree = NULL;

	*config = NULL;
	*remarks = (struct meta_remarks){ 0 };
	if (size > META_TEXT_MAX) {
		meta_error(&log, (struct meta_place){ 0 },
			   "larger than 1 MiB: this is no configuration");
	} else {
		tree = meta_tree_parse(text, size, &log);
		if (tree)
			*config = documents_read(&log, tree);
	}
	meta_tree_free(tree);
	meta_remarks_sort(remarks);
	if (log.no_memory) {
		meta_config_free(*config);
		*config = NULL;
		return error_set(err, MORTISE_E_MEMORY, 0,
				 "%s: not enough memory to read the configuration", source);
	}
	if (log.errors)
		return errors_report(&log, source, err);
	return MORTISE_OK;
}

void meta_config_free(struct meta_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->volume_count; i++)
		meta_volume_clear(&config->volumes[i]);
	free(config->volumes);
	free(config);
}
