/* SPDX-License-Identifier: MIT */
/* meta list, get, set, delete: the META partition. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/declared/meta_value.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"
#include "cli/declared/volumes.h"
#include "cli/write.h"

#define VALUE_MAX      262096u /* bytes, as mortise.h says */
#define LINE_MAX_SHOWN 60u     /* bytes of a value in the table */
#define COLUMNS	       4u

/* The library's sentence, as the verbs of declared volumes print theirs. */
static enum status fail_meta(const struct command *c, const struct mortise_error *err)
{
	fprintf(stderr, "mortise: ");
	return fail(c, err);
}

/* --device META=PATH; NULL: by the label. */
static enum status find_device(const struct command *c, const char **device)
{
	const char *pair;

	*device = NULL;
	for (size_t i = 0; i < c->options.device_count; i++) {
		pair = c->options.devices[i];
		if (strncmp(pair, "META=", 5) != 0 || pair[5] == '\0')
			return fail_with(STATUS_USAGE,
					 "mortise: --device wants META=/dev/X here, not \"%s\".",
					 pair);
		*device = pair + 5;
	}
	return STATUS_OK;
}

static enum status find_tag(const struct command *c, uint8_t *tag)
{
	const char *word = command_word(c, 1);

	if (mortise_meta_tag_parse(word, tag))
		return STATUS_OK;
	return fail_with(STATUS_USAGE,
			 "mortise: \"%s\" is no tag: it is a number from 1 to 255, or a name as "
			 "meta list shows it.",
			 word);
}

/* A value as a person or program may see it, to be freed; NULL: it is not text, or no memory. */
static char *shown_value(const struct mortise_meta_entry *entry)
{
	bool hide = entry->tag == MORTISE_META_STATE_ENCRYPTION;
	char *shown;

	if (!meta_value_is_text(entry->value, entry->size))
		return NULL;
	shown = malloc(META_VALUE_ROOM(entry->size));
	if (shown && hide && !meta_value_json(entry->value, entry->size, shown)) {
		/* Where a passphrase stands in it cannot be told. */
		free(shown);
		return NULL;
	}
	if (shown && !hide) {
		memcpy(shown, entry->value, entry->size);
		shown[entry->size] = '\0';
	}
	return shown;
}

/* The beginning of it in one line. */
static void fill_line(const struct mortise_meta_entry *entry, char line[static LINE_MAX_SHOWN + 4])
{
	char *shown = shown_value(entry);
	size_t at = 0, size, length;

	if (!shown || *shown == '\0') {
		snprintf(line, LINE_MAX_SHOWN + 4, "%s", shown ? "(empty)" : "(not text)");
		free(shown);
		return;
	}
	size = strlen(shown);
	while (at < size) {
		length = meta_value_character(shown + at, size - at);
		if (length == 0 || at + length > LINE_MAX_SHOWN)
			break;
		memcpy(line + at, shown + at, length);
		if (strchr("\t\r\n", line[at]))
			line[at] = ' ';
		at += length;
	}
	while (at > 0 && line[at - 1] == ' ')
		at--;
	snprintf(line + at, 4, "%s", size > LINE_MAX_SHOWN ? "..." : "");
	free(shown);
}

static void fill_cells(const struct mortise_meta_entry *entry, char numbers[2][12],
		       char line[static LINE_MAX_SHOWN + 4], const char *cells[COLUMNS])
{
	snprintf(numbers[0], sizeof(numbers[0]), "%u", entry->tag);
	snprintf(numbers[1], sizeof(numbers[1]), "%zu", entry->size);
	fill_line(entry, line);
	cells[0] = numbers[0];
	cells[1] = *entry->name != '\0' ? entry->name : "-";
	cells[2] = numbers[1];
	cells[3] = line;
}

static void list_table(const struct mortise_meta *meta)
{
	static const char *const titles[COLUMNS] = { "TAG", "NAME", "SIZE", "VALUE" };
	struct table table = { .titles = titles, .count = COLUMNS };
	char numbers[2][12], line[LINE_MAX_SHOWN + 4];
	const struct mortise_meta_entry *entry;
	const char *cells[COLUMNS];

	if (!mortise_meta_entry(meta, 0)) {
		printf("No values.\n");
		return;
	}
	for (size_t i = 0; (entry = mortise_meta_entry(meta, i)); i++) {
		fill_cells(entry, numbers, line, cells);
		table_measure(&table, cells);
	}
	table_print_titles(&table);
	for (size_t i = 0; (entry = mortise_meta_entry(meta, i)); i++) {
		fill_cells(entry, numbers, line, cells);
		table_print(&table, cells);
	}
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

static enum status list_json(const struct command *c, const struct mortise_meta *meta,
			     const struct mortise_error *err)
{
	struct json_object *document = volumes_json(NULL, c->verb->name);
	struct json_object *rows = json_object_new_array();
	const struct mortise_meta_entry *entry;

	for (size_t i = 0; meta && (entry = mortise_meta_entry(meta, i)); i++)
		json_object_array_add(rows, entry_json(entry));
	json_object_object_add(document, "entries", rows);
	json_add_error(document, err);
	return json_print(document);
}

static enum status list(const struct command *c, const char *device)
{
	bool json = option_set(&c->options, OPTION_JSON);
	enum status status = STATUS_OK, printed = STATUS_OK;
	struct mortise_meta *meta = NULL;
	struct mortise_error err = { 0 };

	if (mortise_meta_read(device, &signals_events, &meta, &err))
		status = fail_meta(c, &err);
	if (json)
		printed = list_json(c, meta, &err);
	else if (meta)
		list_table(meta);
	mortise_meta_free(&meta);
	return status == STATUS_OK ? printed : status;
}

static enum status get(const struct command *c, const char *device, uint8_t tag)
{
	enum status status = STATUS_OK;
	struct mortise_meta *meta = NULL;
	const struct mortise_meta_entry *entry;
	struct mortise_error err = { 0 };

	if (mortise_meta_read(device, &signals_events, &meta, &err))
		return fail_meta(c, &err);
	entry = mortise_meta_find(meta, tag);
	if (!entry)
		status = fail_with(STATUS_USAGE, "mortise: META holds nothing under tag %u.", tag);
	else if (fflush(stdout) != 0 || !write_all(STDOUT_FILENO, entry->value, entry->size))
		status = fail_with(STATUS_USAGE, "mortise: Cannot write to standard output.");
	mortise_meta_free(&meta);
	return status;
}

/* Up to the end; false with errno, which is EFBIG when it is longer than room. */
static bool read_whole(int fd, struct mortise_secret *value)
{
	size_t have = 0, room = mortise_secret_size(value);
	ssize_t got = 1;

	while (got != 0 && have < room) {
		got = read(fd, mortise_secret_data(value) + have, room - have);
		if (got < 0 && (errno != EINTR || signals_caught()))
			return false;
		have += got > 0 ? (size_t)got : 0;
	}
	mortise_secret_truncate(value, have);
	errno = EFBIG;
	return have < room;
}

static enum status read_value(const char *file, struct mortise_secret **value)
{
	bool from_stdin = passphrase_is_stdin(file);
	enum status status = STATUS_OK;
	struct mortise_error err;
	int fd = STDIN_FILENO;

	/* One byte more than there may be. */
	if (mortise_secret_new(VALUE_MAX + 1, value, &err))
		return fail_with(STATUS_MEMORY, "mortise: %s", err.text);
	if (!from_stdin)
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_with(STATUS_DEVICE, "mortise: Cannot open %s: %s", file,
				 strerror(errno));
	if (!read_whole(fd, *value))
		status = fail_with(STATUS_USAGE, "mortise: Cannot take the value from %s: %s",
				   from_stdin ? "standard input" : file,
				   errno == EFBIG ? "it has more than 262096 bytes"
						  : strerror(errno));
	if (!from_stdin)
		close(fd);
	return status;
}

static enum status set(const struct command *c, const char *device, uint8_t tag)
{
	struct mortise_secret *value = NULL;
	struct mortise_error err = { 0 };
	enum status status;
	const char *bytes;
	size_t size;

	status = read_value(command_word(c, 2), &value);
	if (status != STATUS_OK)
		goto out;
	bytes = (const char *)mortise_secret_data(value);
	size = mortise_secret_size(value);
	if (tag == MORTISE_META_STATE_ENCRYPTION && !meta_value_json(bytes, size, NULL))
		status = fail_with(STATUS_USAGE,
				   "mortise: Under tag %u stands how STATE is encrypted, as JSON: "
				   "this is none. null means that it is not encrypted.",
				   tag);
	else if (mortise_meta_set(device, &signals_events, tag, bytes, size, &err))
		status = fail_meta(c, &err);
	else
		verbose(c, "Tag %u set to %zu bytes.", tag, size);
out:
	mortise_secret_free(&value);
	return status;
}

static enum status delete (const struct command *c, const char *device, uint8_t tag) {
	struct mortise_error err = { 0 };

	if (mortise_meta_delete(device, &signals_events, tag, &err)) return fail_meta(c, &err);
	verbose(c, "Tag %u deleted.", tag);
	return STATUS_OK;
}

enum status run_meta(const struct command *c)
{
	const char *action = command_word(c, 0), *device;
	enum status status = find_device(c, &device);
	uint8_t tag;

	if (status == STATUS_OK && strcmp(action, "list") == 0)
		return list(c, device);
	if (status == STATUS_OK)
		status = find_tag(c, &tag);
	if (status != STATUS_OK)
		return status;
	if (strcmp(action, "get") == 0)
		return get(c, device, tag);
	if (strcmp(action, "set") == 0)
		return set(c, device, tag);
	return delete (c, device, tag);
}
