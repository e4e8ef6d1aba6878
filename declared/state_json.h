/* SPDX-License-Identifier: MIT */
/* JSON files at the root of STATE. They are trusted as far as STATE is. */
#ifndef DECLARED_STATE_JSON_H
#define DECLARED_STATE_JSON_H

#include <mortise.h>

#include <json-c/json.h>

#include "base/json_scan.h"

struct state_json {
	const char *root;	/* of the mount points; see config_state_dir_open() */
	const char *dir;	/* where STATE is mounted, which begins with root */
	const char *name;
	size_t max;		/* bytes that the file may have */
	struct json_scan_limits limits;
};

/*
 * Reads the file without following symbolic links. *out is NULL if it does not exist. Otherwise
 * free *out with json_object_put(). MORTISE_E_CORRUPT: it is damaged. MORTISE_E_DEVICE: it cannot
 * be read.
 */
MORTISE_MUST_CHECK enum mortise_code state_json_read(const struct state_json *file,
						     struct json_object **out,
						     struct mortise_error *err);

/* The same for the bytes of the file. */
MORTISE_MUST_CHECK enum mortise_code state_json_parse(const struct state_json *file,
						      const char *text, size_t size,
						      struct json_object **out,
						      struct mortise_error *err);

/* Replaces the file. root may be NULL: out of memory. The caller frees it. */
MORTISE_MUST_CHECK enum mortise_code state_json_store(const struct state_json *file,
						      struct json_object *root,
						      struct mortise_error *err);

/* Sets MORTISE_E_CORRUPT: "DIR/NAME is damaged: WHY". */
enum mortise_code state_json_damaged(const struct state_json *file, const char *why,
				     struct mortise_error *err);

/* Copies a string of printable characters without blanks. False: the member is another value. */
bool state_json_copy(struct json_object *object, const char *key, char *text, size_t room);

#endif
