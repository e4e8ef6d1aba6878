/* SPDX-License-Identifier: MIT */
/* The field "provisioning": where `mortise apply` creates the partition of a volume. */
#include "config/selector/selector.h"
#include "config/size.h"
#include "config/volume.h"

enum { F_SELECTOR, F_GROW, F_MIN, F_MAX, F_COUNT };

static void read_fields(struct config_log *log, const struct config_node *provisioning,
			struct config_field of[static F_COUNT])
{
	static const char *const names[] = { "diskSelector", "grow", "minSize", "maxSize" };
	static const struct config_schema schema = { .names = names, .count = F_COUNT };

	config_fields_read(log, provisioning, &schema, of);
}

/*
 * True if there is a selector. *match is NULL if it is not text, which is one error already. For a
 * partition, which may exist already, an unsupported expression is a notice only.
 */
static bool read_selector(struct config_log *log, const struct config_field *field, bool disk,
			  const char **match)
{
	static const char *const names[] = { "match" };
	static const struct config_schema schema = { .names = names, .count = 1 };
	struct mortise_error err;
	struct config_field of;

	*match = NULL;
	if (!config_field_mapping(log, field))
		return false;
	config_fields_read(log, field->value, &schema, &of);
	if (!of.value || !config_field_text(log, &of, match))
		return of.value;
	switch (**match ? config_selector_check(*match, &err) : MORTISE_OK) {
	case MORTISE_OK:
		break;
	case MORTISE_E_MEMORY:
		log->out_of_memory = true;
		break;
	case MORTISE_E_UNSUPPORTED:
		if (disk)
			config_error(log, of.value->position, "disk selector is not supported: %s",
				     err.text);
		else
			config_notice(log, of.value->position,
				      "disk selector is not supported, and creates no "
				      "partition: %s",
				      err.text);
		break;
	default:
		config_error(log, of.value->position, "disk selector is invalid: %s", err.text);
		break;
	}
	return **match;
}

bool config_provisioning_read(struct config_log *log, const struct config_field *field,
			      struct config_volume *volume)
{
	struct config_provisioning *is = &volume->provisioning;
	struct config_field of[F_COUNT];
	struct config_size least;
	struct config_size most;
	const char *match = NULL;
	bool selector;
	bool grow = false;
	size_t errors = log->errors;

	if (!config_field_mapping(log, field))
		return false;
	read_fields(log, field->value, of);
	selector = read_selector(log, &of[F_SELECTOR], false, &match);
	if (config_field_bool(log, &of[F_GROW], &grow))
		is->grow = grow;
	config_field_size(log, &of[F_MIN], false, &least);
	config_field_size(log, &of[F_MAX], true, &most);
	is->min = least;
	is->max = most;
	if (match)
		is->selector = config_strdup(log, match);
	if (!selector && !of[F_GROW].value && !least.given && !most.given)
		return log->errors > errors;
	is->given = true;
	if (least.given && least.negative)
		config_error(log, of[F_MIN].value->position, "min size cannot be negative");
	if (least.given && most.given && !most.percent && !most.negative &&
	    least.value > most.value)
		config_error(log, of[F_MIN].value->position, "min size is greater than max size");
	if (volume->kind != CONFIG_VOLUME_SYSTEM && !selector)
		config_error(log, field->key->position, "disk selector is required");
	if (volume->kind != CONFIG_VOLUME_SYSTEM && !of[F_MIN].value && !of[F_MAX].value)
		config_error(log, field->key->position, "min size or max size is required");
	return true;
}

void config_disk_read(struct config_log *log, const struct config_field *field,
		      struct config_position root, struct config_volume *volume)
{
	struct config_field of[F_COUNT];
	const char *match = NULL;

	if (field->value && !config_field_mapping(log, field))
		return;
	if (field->value) {
		read_fields(log, field->value, of);
		if (of[F_GROW].value || of[F_MIN].value || of[F_MAX].value)
			config_error(log, field->key->position,
				     "min size, max size and grow are not supported");
	}
	if (!field->value || !read_selector(log, &of[F_SELECTOR], true, &match))
		config_error(log, field->key ? field->key->position : root,
			     "disk selector is required");
	if (match)
		volume->disk_selector = config_strdup(log, match);
}
