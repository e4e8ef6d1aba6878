/* SPDX-License-Identifier: MIT */
/* What all JSON output has in common. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <mortise-declared.h>

#include <json-c/json.h>

#include "cli/command.h"

/* Starts a document: version, command, and the remarks on config, which may be NULL. */
struct json_object *json_document(const struct mortise_config *config, const char *command);
/* Adds a string; null if text is NULL or "". */
void json_add_text(struct json_object *object, const char *name, const char *text);
/* Adds a number; null if it is negative. */
void json_add_keyslot(struct json_object *object, const char *name, int keyslot);
/* Adds "error"; null if err->code is MORTISE_OK. */
void json_add_error(struct json_object *object, const struct mortise_error *err);
/* Prints the document and frees it. */
enum status json_print(struct json_object *document);

#endif
