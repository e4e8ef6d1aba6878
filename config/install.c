/* SPDX-License-Identifier: MIT */
/*
 * machine.install.disk and diskSelector: the system disk of a machine that is still blank. The
 * selector becomes the expression that Talos makes of it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/selector.h"
#include "config/size.h"
#include "config/volume.h"

enum { F_SIZE, F_TYPE, F_MODEL, F_SERIAL, F_MODALIAS, F_UUID, F_WWID, F_BUS_PATH, F_COUNT };

static const char *const field_names[F_COUNT] = {
	[F_SIZE] = "size",	   [F_TYPE] = "type", [F_MODEL] = "model", [F_SERIAL] = "serial",
	[F_MODALIAS] = "modalias", [F_UUID] = "uuid", [F_WWID] = "wwid",   [F_BUS_PATH] = "busPath",
};

/* The variable of each field whose value is a pattern. */
static const char *const variables[F_COUNT] = {
	[F_MODEL] = "model", [F_SERIAL] = "serial", [F_MODALIAS] = "modalias",
	[F_UUID] = "uuid",   [F_WWID] = "wwid",	    [F_BUS_PATH] = "bus_path",
};

/* An expression; "" until a condition is added. */
struct expression {
	char text[CONFIG_SELECTOR_MAX + 1];
	size_t used;
	bool full; /* something was cut off */
};

__attribute__((format(printf, 2, 3))) static void append(struct expression *to, const char *format,
							 ...)
{
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(to->text + to->used, sizeof(to->text) - to->used, format, arguments);
	va_end(arguments);
	to->full |= size < 0 || (size_t)size >= sizeof(to->text) - to->used;
	if (!to->full)
		to->used += (size_t)size;
}

static void append_and(struct expression *to)
{
	if (to->used)
		append(to, " && ");
}

/* ">= 1TB": an operator, or none for equality, and a size. */
static void add_size(struct config_log *log, const struct config_field *field,
		     struct expression *to)
{
	static const char *const operators[] = { ">=", "<=", "==", ">", "<", "" };
	struct config_size size;
	const char *text;
	size_t i = 0;

	if (!config_field_text(log, field, &text) || !*text)
		return;
	while (strncmp(text, operators[i], strlen(operators[i])) != 0)
		i++;
	config_size_parse(log, field, text + strlen(operators[i]), &size);
	if (!size.given)
		return;
	append_and(to);
	append(to, "disk.size %s %" PRIu64 "u", *operators[i] ? operators[i] : "==", size.value);
}

static void add_type(struct config_log *log, const struct config_field *field,
		     struct expression *to)
{
	static const char *const types[][2] = {
		{ "ssd", "!disk.rotational" },
		{ "hdd", "disk.rotational" },
		{ "nvme", "disk.transport == \"nvme\"" },
		{ "sd", "disk.transport == \"mmc\"" },
	};
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *text;

	if (!config_field_text(log, field, &text) || !*text)
		return;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(text, types[i][0]) != 0)
			continue;
		append_and(to);
		append(to, "%s", types[i][1]);
		return;
	}
	config_error(log, field->value->position,
		     "unknown disk type \"%s\"; use ssd, hdd, nvme or sd",
		     config_printable(text, strlen(text), shown));
}

static void add_pattern(struct config_log *log, const struct config_field *field,
			const char *variable, struct expression *to)
{
	const char *text;

	if (!config_field_text(log, field, &text) || !*text)
		return;
	append_and(to);
	append(to, "glob(\"");
	for (; *text; text++)
		append(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	append(to, "\", disk.%s)", variable);
}

static char *read_selector(struct config_log *log, const struct config_field *field)
{
	static const struct config_schema schema = { .names = field_names, .count = F_COUNT };
	struct config_field of[F_COUNT];
	struct expression expression = { .used = 0 };
	struct mortise_error why;

	if (!config_field_mapping(log, field))
		return NULL;
	config_fields_read(log, field->value, &schema, of);
	add_size(log, &of[F_SIZE], &expression);
	add_type(log, &of[F_TYPE], &expression);
	for (unsigned i = 0; i < F_COUNT; i++)
		if (variables[i])
			add_pattern(log, &of[i], variables[i], &expression);
	if (expression.full) {
		config_error(log, field->key->position, "disk selector is too long");
		return NULL;
	}
	if (!expression.used)
		return NULL;
	if (!config_selector_check(expression.text, &why))
		return config_strdup(log, expression.text);
	config_error(log, field->key->position, "disk selector is invalid: %s", why.text);
	return NULL;
}

void config_install_read(struct config_log *log, const struct config_node *machine,
			 struct config_install *install)
{
	const struct config_node *node = config_node_child(machine, "install");
	struct config_field disk = { .name = "disk" }, selector = { .name = "diskSelector" };
	const char *path;

	/* Its other keys belong to the installer of Talos. */
	if (!node || node->kind != CONFIG_MAPPING)
		return;
	for (const struct config_node *key = node->child; key; key = key->next->next) {
		struct config_field *field = config_node_is(key, disk.name)	  ? &disk
					     : config_node_is(key, selector.name) ? &selector
										  : NULL;

		if (!field || field->key)
			continue;
		field->key = key;
		field->value = config_node_null(key->next) ? NULL : key->next;
	}
	if (config_field_text(log, &disk, &path) && *path)
		install->disk = config_strdup(log, path);
	install->selector = read_selector(log, &selector);
}
