/* SPDX-License-Identifier: MIT */
/* meta list, get, set, delete: the META partition. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/declared/json.h"
#include "cli/declared/meta_value.h"
#include "cli/declared/table.h"
#include "cli/declared/volumes.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/read.h"
#include "cli/verbs.h"
#include "cli/write.h"

#define VALUE_MAX 262096u /* bytes: the longest value, see mortise_meta_set() */
#define SHOWN_MAX 60u	  /* bytes of a value in the table */
#define COLUMNS	  4u

_Static_assert(SHOWN_MAX + sizeof("...") <= TABLE_TEXT_SIZE, "a shortened value fits into a cell");

/* Finds --device META=PATH. NULL: META is found by its partition label. */
static enum status find_device(const struct command *c, const char **device)
{
	const char *pair;

	*device = NULL;
	for (size_t i = 0; i < c->options.device_count; i++) {
		pair = c->options.devices[i];
		if (strncmp(pair, "META=", 5) != 0 || pair[5] == '\0')
			return fail_with(STATUS_USAGE,
					 "mortise: invalid --device \"%s\"; use META=/dev/X", pair);
		*device = pair + 5;
	}
	return STATUS_OK;
}

static enum status find_tag(const struct command *c, uint8_t *tag)
{
	const char *word = command_word(c, 1);

	if (mortise_meta_tag_parse(word, tag))
		return STATUS_OK;
	return fail_with(
		STATUS_USAGE,
		"mortise: invalid META tag \"%s\"; use a number from 1 to 255 or a name that "
		"`mortise meta list` prints",
		word);
}

/*
 * Returns the value as text, with asterisks instead of passphrases. Free it. NULL: the value is not
 * text, or memory is exhausted.
 */
static char *shown_value(const struct mortise_meta_entry *entry)
{
	char *shown;

	if (!meta_value_is_text(entry->value, entry->size))
		return NULL;
	shown = malloc(META_VALUE_ROOM(entry->size));
	if (!shown)
		return NULL;
	if (entry->tag != MORTISE_META_STATE_ENCRYPTION) {
		memcpy(shown, entry->value, entry->size);
		shown[entry->size] = '\0';
	} else if (!meta_value_json(entry->value, entry->size, shown)) {
		/* If it is not valid JSON, passphrases in it cannot be found. */
		free(shown);
		shown = NULL;
	}
	return shown;
}

/* Fills line with the beginning of the value, on one line. */
static void fill_line(const struct mortise_meta_entry *entry, char line[static TABLE_TEXT_SIZE])
{
	char *shown = shown_value(entry);
	size_t at = 0, size, length;

	if (!shown || *shown == '\0') {
		snprintf(line, TABLE_TEXT_SIZE, "%s", shown ? "(empty)" : "(not text)");
		free(shown);
		return;
	}
	size = strlen(shown);
	while (at < size) {
		length = meta_value_character(shown + at, size - at);
		if (length == 0 || at + length > SHOWN_MAX)
			break;
		memcpy(line + at, shown + at, length);
		if (strchr("\t\r\n", line[at]))
			line[at] = ' ';
		at += length;
	}
	while (at > 0 && line[at - 1] == ' ')
		at--;
	snprintf(line + at, TABLE_TEXT_SIZE - at, "%s", size > SHOWN_MAX ? "..." : "");
	free(shown);
}

static bool fill_row(const void *meta, size_t i, struct table_row *row)
{
	const struct mortise_meta_entry *entry;

	if (!(entry = mortise_meta_entry(meta, i)))
		return false;
	snprintf(row->texts[0], TABLE_TEXT_SIZE, "%u", entry->tag);
	snprintf(row->texts[1], TABLE_TEXT_SIZE, "%zu", entry->size);
	fill_line(entry, row->texts[2]);
	row->cells[0] = row->texts[0];
	row->cells[1] = table_or_dash(entry->name);
	row->cells[2] = row->texts[1];
	row->cells[3] = row->texts[2];
	return true;
}

static void print_entries(const struct mortise_meta *meta)
{
	static const char *const titles[COLUMNS] = { "TAG", "NAME", "SIZE", "VALUE" };
	const struct table table = {
		.titles = titles,
		.columns = COLUMNS,
		.fill = fill_row,
		.subject = meta,
	};

	if (!table_print(&table))
		print("No values.\n");
}

static struct json_object *entry_json(const struct mortise_meta_entry *entry)
{
	struct json_object *row = json_object_new_object();
	char *shown = shown_value(entry);

	json_object_object_add(row, "tag", json_object_new_int(entry->tag));
	json_add_text(row, "name", entry->name);
	json_object_object_add(row, "size", json_object_new_int64((int64_t)entry->size));
	json_object_object_add(row, "value", shown ? json_object_new_string(shown) : NULL);
	json_object_object_add(row, "old", json_object_new_boolean(entry->old));
	free(shown);
	return row;
}

static enum status print_entries_json(const struct command *c, const struct mortise_meta *meta,
				      const struct mortise_error *err)
{
	struct json_object *document = json_document(NULL, c->verb->name);
	struct json_object *rows = json_object_new_array();
	const struct mortise_meta_entry *entry;

	for (size_t i = 0; meta && (entry = mortise_meta_entry(meta, i)); i++)
		json_object_array_add(rows, entry_json(entry));
	json_object_object_add(document, "entries", rows);
	json_add_error(document, err);
	return json_print(document);
}

static enum status list_entries(const struct command *c, const char *device)
{
	enum status status = STATUS_OK, printed = STATUS_OK;
	struct mortise_meta *meta = NULL;
	struct mortise_error err = { 0 };

	err.code = mortise_meta_read(device, &signals_events, &meta, &err);
	if (err.code != MORTISE_OK)
		status = volumes_fail(c, &err);
	if (option_set(&c->options, OPTION_JSON))
		printed = print_entries_json(c, meta, &err);
	else if (meta)
		print_entries(meta);
	mortise_meta_free(&meta);
	return status == STATUS_OK ? printed : status;
}

/* The value itself, except on a terminal, which its control characters could control. */
static bool write_value(const void *value, size_t size)
{
	if (isatty(STDOUT_FILENO))
		return write_escaped(STDOUT_FILENO, MORTISE_ESCAPE_LINES, value, size);
	return write_all(STDOUT_FILENO, value, size);
}

static enum status get_value(const struct command *c, const char *device, uint8_t tag)
{
	enum status status = STATUS_OK;
	struct mortise_meta *meta = NULL;
	const struct mortise_meta_entry *entry;
	struct mortise_error err = { 0 };

	if (mortise_meta_read(device, &signals_events, &meta, &err))
		return volumes_fail(c, &err);
	entry = mortise_meta_find(meta, tag);
	if (!entry)
		status = fail_with(STATUS_USAGE, "mortise: META tag %u has no value", tag);
	else if (fflush(stdout) != 0 || !write_value(entry->value, entry->size))
		status = fail_with(STATUS_USAGE, "mortise: cannot write to standard output: %s",
				   strerror(errno));
	mortise_meta_free(&meta);
	return status;
}

static enum status read_value(const char *file, struct mortise_secret **out)
{
	bool from_stdin = passphrase_is_stdin(file);
	const char *name = from_stdin ? "standard input" : file;
	struct mortise_secret *value = NULL;
	enum status status = STATUS_OK;
	struct mortise_error err;
	int fd = STDIN_FILENO;
	size_t size;

	if (!from_stdin)
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_with(STATUS_DEVICE, "mortise: cannot open %s: %s", file,
				 strerror(errno));
	/* One byte more than allowed, to find that the file is larger. */
	if (mortise_secret_new(VALUE_MAX + 1, &value, &err)) {
		status = fail_with(STATUS_MEMORY, "mortise: %s", err.text);
		goto out;
	}
	if (!read_full(fd, mortise_secret_writable(value), VALUE_MAX + 1, &size)) {
		status = fail_with(STATUS_USAGE, "mortise: cannot read %s: %s", name,
				   strerror(errno));
		goto out;
	}
	if (size > VALUE_MAX) {
		status = fail_with(STATUS_USAGE,
				   "mortise: cannot read %s: it has more than %u bytes", name,
				   VALUE_MAX);
		goto out;
	}
	mortise_secret_truncate(value, size);
	*out = value;
	value = NULL;
out:
	mortise_secret_free(&value);
	if (!from_stdin)
		close(fd);
	return status;
}

static enum status set_value(const struct command *c, const char *device, uint8_t tag)
{
	struct mortise_secret *value = NULL;
	struct mortise_error err = { 0 };
	enum status status;
	const char *bytes;
	size_t size;

	status = read_value(command_word(c, 2), &value);
	if (status != STATUS_OK)
		return status;
	bytes = (const char *)mortise_secret_data(value);
	size = mortise_secret_size(value);
	if (tag == MORTISE_META_STATE_ENCRYPTION && !meta_value_json(bytes, size, NULL))
		status = fail_with(STATUS_USAGE,
				   "mortise: invalid value of META tag %u: it must be JSON that "
				   "describes the encryption of STATE, or null for no encryption",
				   tag);
	else if (mortise_meta_set(device, &signals_events, tag, bytes, size, &err))
		status = volumes_fail(c, &err);
	else
		verbose(c, "Tag %u set to %zu bytes.", tag, size);
	mortise_secret_free(&value);
	return status;
}

static enum status delete_value(const struct command *c, const char *device, uint8_t tag)
{
	struct mortise_error err = { 0 };

	if (mortise_meta_delete(device, &signals_events, tag, &err))
		return volumes_fail(c, &err);
	verbose(c, "Tag %u deleted.", tag);
	return STATUS_OK;
}

/* check_meta() has checked the action and the number of arguments. */
enum status run_meta(const struct command *c)
{
	const char *action = command_word(c, 0), *device;
	enum status status;
	uint8_t tag;

	status = find_device(c, &device);
	if (status != STATUS_OK)
		return status;
	if (strcmp(action, "list") == 0)
		return list_entries(c, device);
	status = find_tag(c, &tag);
	if (status != STATUS_OK)
		return status;
	if (strcmp(action, "get") == 0)
		return get_value(c, device, tag);
	if (strcmp(action, "set") == 0)
		return set_value(c, device, tag);
	return delete_value(c, device, tag);
}
