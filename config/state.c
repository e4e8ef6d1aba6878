/* SPDX-License-Identifier: MIT */
/* A configuration of STATE alone: from tag 9 of META, or by default. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/volume.h"

#define NOT_ENCRYPTED "null"

/* A value that was edited by hand may have blanks around it. */
static const char *trim_blanks(const char *json, size_t *size)
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

static void read_encryption(struct config_log *log, const char *json, size_t size,
			    struct config_volume *volume)
{
	static const char *const names[] = { "encryption" };
	static const struct config_schema schema = { .names = names, .count = 1 };
	struct config_tree *tree = config_state_tree(log, json, size);
	struct config_field field;

	if (!tree)
		return;
	config_fields_read(log, tree->document[0], &schema, &field);
	config_encryption_read(log, &field, CONFIG_ORIGIN_META, volume);
	config_tree_free(tree);
}

/* Inserts STATE before the other volumes. Without memory config is unchanged. */
static bool insert_state(struct config *config, struct config_volume *state)
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

static enum mortise_code set_out_of_memory(const char *source, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_MEMORY, 0,
			 "%s: not enough memory to read the configuration", source);
}

static enum mortise_code make_config(const char *json, size_t size, struct config_volume *state,
				     struct config **config, struct mortise_error *err)
{
	struct config *made = calloc(1, sizeof(*made));

	if (made && insert_state(made, state) &&
	    mortise_secret_from(size ? json : NOT_ENCRYPTED, size ? size : strlen(NOT_ENCRYPTED),
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
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_volume state = { 0 };
	const char *text = trim_blanks(json, &size);
	enum mortise_code code;

	*config = NULL;
	config_system_volume_init(&log, CONFIG_STATE, &state);
	if (!log.out_of_memory && size > 0 &&
	    (size != strlen(NOT_ENCRYPTED) || memcmp(text, NOT_ENCRYPTED, size) != 0))
		read_encryption(&log, text, size, &state);
	if (log.errors)
		code = config_errors_report(&log, source, err);
	else
		code = MORTISE_OK;
	if (log.out_of_memory || (!code && make_config(text, size, &state, config, err)))
		code = set_out_of_memory(source, err);
	config_volume_clear(&state);
	config_diagnostics_clear(&diagnostics);
	return code;
}

enum mortise_code config_add_state(struct config *config, struct mortise_error *err)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_volume state = { 0 };
	enum mortise_code code = MORTISE_OK;

	if (config->volume_count > 0 && strcmp(config->volumes[0].id, CONFIG_STATE) == 0)
		return MORTISE_OK;
	config_system_volume_init(&log, CONFIG_STATE, &state);
	if (log.out_of_memory || !insert_state(config, &state))
		code = set_out_of_memory(CONFIG_STATE, err);
	config_volume_clear(&state);
	return code;
}
