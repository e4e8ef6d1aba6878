/* SPDX-License-Identifier: MIT */
/* STATE by itself: as META remembers it, and as it is when nothing is declared. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/volume.h"

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

static void encryption_read(struct config_log *log, const char *json, size_t size,
			    struct config_volume *volume)
{
	static const char *const names[] = { "encryption" };
	static const struct config_schema schema = { .names = names, .count = 1 };
	struct config_tree *tree = config_state_tree(log, json, size);
	struct config_field field;

	if (!tree)
		return;
	config_fields_read(log, tree->document[0], &schema, &field);
	config_encryption_read(log, &field, CONFIG_FORM_STORED, volume);
	config_tree_free(tree);
}

/* In front of the others; config is as it was when there is no memory. */
static bool state_insert(struct config *config, struct config_volume *state)
{
	const size_t count = config->volume_count;
	struct config_volume *grown = realloc(config->volumes, (count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	memmove(grown + 1, grown, count * sizeof(*grown));
	grown[0] = *state;
	*state = (struct config_volume){ 0 };
	config->volumes = grown;
	config->volume_count++;
	return true;
}

static enum mortise_code no_memory(const char *source, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_MEMORY, 0,
			 "%s: not enough memory for the configuration of STATE", source);
}

static enum mortise_code config_make(const char *json, size_t size, struct config_volume *state,
				     struct config **config, struct mortise_error *err)
{
	struct config *made = calloc(1, sizeof(*made));

	if (made && state_insert(made, state) &&
	    mortise_secret_from(size ? json : NOTHING, size ? size : strlen(NOTHING),
				&made->state_json, err) == MORTISE_OK) {
		*config = made;
		return MORTISE_OK;
	}
	config_free(made);
	return MORTISE_E_MEMORY;
}

enum mortise_code config_state_parse(const void *json, size_t size, const char *source,
				     struct config **config, struct mortise_error *err)
{
	struct config_remarks remarks = { 0 };
	struct config_log log = { .remarks = &remarks };
	struct config_volume state = { 0 };
	const char *text = trim(json, &size);
	enum mortise_code code;

	*config = NULL;
	config_system_volume(&log, "STATE", &state);
	if (!log.no_memory && size > 0 &&
	    (size != strlen(NOTHING) || memcmp(text, NOTHING, size) != 0))
		encryption_read(&log, text, size, &state);
	if (log.errors)
		code = config_errors_report(&log, source, err);
	else
		code = MORTISE_OK;
	if (log.no_memory || (!code && config_make(text, size, &state, config, err)))
		code = no_memory(source, err);
	config_volume_clear(&state);
	config_remarks_clear(&remarks);
	return code;
}

enum mortise_code config_add_state(struct config *config, struct mortise_error *err)
{
	struct config_remarks remarks = { 0 };
	struct config_log log = { .remarks = &remarks };
	struct config_volume state = { 0 };
	enum mortise_code code = MORTISE_OK;

	if (config->volume_count > 0 && strcmp(config->volumes[0].id, "STATE") == 0)
		return MORTISE_OK;
	config_system_volume(&log, "STATE", &state);
	if (log.no_memory || !state_insert(config, &state))
		code = no_memory("STATE", err);
	config_volume_clear(&state);
	return code;
}
