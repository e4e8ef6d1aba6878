/* SPDX-License-Identifier: MIT */
/* STATE by itself: as META remembers it, and as it is when nothing is declared. */
#include <stdlib.h>
#include <string.h>

#include "keys/error.h"
#include "meta/volume.h"

#define NOTHING "null"

/* What is between the blanks that a person may have left around it. */
static const char *trim(const char *json, size_t *size)
{
	static const char blanks[] = { ' ', '\t', '\r', '\n' };

	while (*size > 0 && memchr(blanks, json[*size - 1], sizeof(blanks)))
		--*size;
	while (*size > 0 && memchr(blanks, *json, sizeof(blanks))) {
		json++;
		--*size;
	}
	return json;
}

static void encryption_read(struct meta_log *log, const char *json, size_t size,
			    struct meta_volume *volume)
{
	static const char *const names[] = { "encryption" };
	static const struct meta_schema schema = { .names = names, .count = 1 };
	struct meta_tree *tree = meta_state_tree(log, json, size);
	struct meta_field field;

	if (!tree)
		return;
	meta_fields_read(log, tree->document[0], &schema, &field);
	meta_encryption_read(log, &field, META_FORM_STORED, volume);
	meta_tree_free(tree);
}

/* In front of the others; config is as it was when there is no memory. */
static bool state_insert(struct meta_config *config, struct meta_volume *state)
{
	const size_t count = config->volume_count;
	struct meta_volume *grown = realloc(config->volumes, (count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	memmove(grown + 1, grown, count * sizeof(*grown));
	grown[0] = *state;
	*state = (struct meta_volume){ 0 };
	config->volumes = grown;
	config->volume_count++;
	return true;
}

static enum mortise_code no_memory(const char *source, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_MEMORY, 0,
			 "%s: not enough memory for the configuration of STATE", source);
}

static enum mortise_code config_make(const char *json, size_t size, struct meta_volume *state,
				     struct meta_config **config, struct mortise_error *err)
{
	struct meta_config *made = calloc(1, sizeof(*made));

	if (made && state_insert(made, state) &&
	    mortise_secret_from(size ? json : NOTHING, size ? size : strlen(NOTHING),
				&made->state_json, err) == MORTISE_OK) {
		*config = made;
		return MORTISE_OK;
	}
	meta_config_free(made);
	return MORTISE_E_MEMORY;
}

enum mortise_code meta_state_parse(const void *json, size_t size, const char *source,
				   struct meta_config **config, struct mortise_error *err)
{
	struct meta_remarks remarks = { 0 };
	struct meta_log log = { .remarks = &remarks };
	struct meta_volume state = { 0 };
	const char *text = trim(json, &size);
	enum mortise_code code;

	*config = NULL;
	meta_system_volume(&log, "STATE", &state);
	if (!log.no_memory && size > 0 &&
	    (size != strlen(NOTHING) || memcmp(text, NOTHING, size) != 0))
		encryption_read(&log, text, size, &state);
	if (log.errors)
		code = meta_errors_report(&log, source, err);
	else
		code = MORTISE_OK;
	if (log.no_memory || (!code && config_make(text, size, &state, config, err)))
		code = no_memory(source, err);
	meta_volume_clear(&state);
	meta_remarks_clear(&remarks);
	return code;
}

enum mortise_code meta_config_add_state(struct meta_config *config, struct mortise_error *err)
{
	struct meta_remarks remarks = { 0 };
	struct meta_log log = { .remarks = &remarks };
	struct meta_volume state = { 0 };
	enum mortise_code code = MORTISE_OK;

	if (config->volume_count > 0 && strcmp(config->volumes[0].id, "STATE") == 0)
		return MORTISE_OK;
	meta_system_volume(&log, "STATE", &state);
	if (log.no_memory || !state_insert(config, &state))
		code = no_memory("STATE", err);
	meta_volume_clear(&state);
	return code;
}
