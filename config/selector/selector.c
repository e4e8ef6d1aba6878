/* SPDX-License-Identifier: MIT */
#include "config/selector/selector.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/selector/cel.h"

struct config_selector {
	char *text;
	char *strings;
	struct config_cel_node *nodes;
	const struct config_cel_node *root;
};

void config_selector_free(struct config_selector *selector)
{
	if (!selector)
		return;
	free(selector->text);
	free(selector->strings);
	free(selector->nodes);
	free(selector);
}

enum mortise_code config_selector_parse(const char *text, struct config_selector **out,
					struct mortise_error *err)
{
	const size_t size = strlen(text);
	struct config_cel_reader reader = { .text = text, .err = err };
	struct config_selector *selector;

	*out = NULL;
	if (size > CONFIG_SELECTOR_MAX)
		return error_set(err, MORTISE_E_CONFIG, 0, "the expression is longer than %u bytes",
				 CONFIG_SELECTOR_MAX);
	selector = calloc(1, sizeof(*selector));
	if (selector) {
		selector->text = strdup(text);
		selector->strings = malloc(size + 1);
		selector->nodes = calloc(size + 1, sizeof(*selector->nodes));
	}
	if (!selector || !selector->text || !selector->strings || !selector->nodes) {
		config_selector_free(selector);
		return error_memory(err);
	}
	reader.strings = selector->strings;
	reader.nodes = selector->nodes;
	selector->root = config_cel_expression(&reader);
	if (!selector->root) {
		config_selector_free(selector);
		return reader.code;
	}
	*out = selector;
	return MORTISE_OK;
}

enum mortise_code config_selector_check(const char *text, struct mortise_error *err)
{
	struct config_selector *selector;
	enum mortise_code code = config_selector_parse(text, &selector, err);

	config_selector_free(selector);
	return code;
}

__attribute__((format(printf, 4, 5))) static enum mortise_code
set_no_value(struct mortise_error *err, const char *text, size_t at, const char *format, ...)
{
	enum mortise_code code;
	va_list arguments;

	va_start(arguments, format);
	code = config_cel_error(err, MORTISE_E_CONFIG, text, at, format, arguments);
	va_end(arguments);
	return code;
}

enum mortise_code config_selector_matches(const struct config_selector *selector,
					  const struct disk_facts *disk, bool *matches,
					  struct mortise_error *err)
{
	struct config_cel_run run = { .disk = disk };
	struct config_cel_value value;
	enum mortise_code code = MORTISE_OK;

	*matches = false;
	if (config_cel_evaluate(&run, selector->root, &value))
		*matches = value.is.truth;
	else
		code = set_no_value(err, selector->text, run.why_at, "%s", run.why);
	free(run.memory);
	return code;
}
