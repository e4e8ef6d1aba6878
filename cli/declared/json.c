/* SPDX-License-Identifier: MIT */
/* JSON output. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/declared/json.h"
#include "cli/print.h"

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	struct json_object *value = NULL;

	if (text && text[0] != '\0')
		value = json_object_new_string(text);
	json_object_object_add(object, name, value);
}

void json_add_keyslot(struct json_object *object, const char *name, int keyslot)
{
	json_object_object_add(object, name, keyslot >= 0 ? json_object_new_int(keyslot) : NULL);
}

void json_add_error(struct json_object *object, const struct mortise_error *err)
{
	struct json_object *error = NULL;

	if (err->code != MORTISE_OK) {
		error = json_object_new_object();
		json_add_text(error, "code", mortise_code_text(err->code));
		json_add_text(error, "text", err->text);
	}
	json_object_object_add(object, "error", error);
}

struct json_object *json_document(const struct mortise_config *config, const char *command)
{
	struct json_object *document = json_object_new_object();
	struct json_object *remarks = json_object_new_array();
	const struct mortise_remark *remark;

	json_add_text(document, "mortise", MORTISE_VERSION);
	json_add_text(document, "command", command);
	for (size_t i = 0; config && (remark = mortise_config_remark(config, i)); i++) {
		struct json_object *row = json_object_new_object();

		json_add_text(row, "severity", remark->error ? "error" : "notice");
		json_object_object_add(row, "line", json_object_new_int64(remark->line));
		json_object_object_add(row, "column", json_object_new_int64(remark->column));
		json_add_text(row, "text", remark->text);
		json_object_array_add(remarks, row);
	}
	json_object_object_add(document, "remarks", remarks);
	return document;
}

enum status json_print(struct json_object *document)
{
	enum status status = STATUS_OK;
	const char *text = NULL;

	if (document)
		text = json_object_to_json_string_ext(
			document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					  JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text) {
		print_json(text);
		print("\n");
	}
	if (!text)
		status = fail_with(STATUS_MEMORY, "mortise: out of memory");
	else if (ferror(stdout))
		status = fail_with(STATUS_USAGE, "mortise: cannot write to standard output: %s",
				   strerror(errno));
	json_object_put(document);
	return status;
}
