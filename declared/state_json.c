/* SPDX-License-Identifier: MIT */
/* Reading and writing the JSON files of STATE. */
#include "declared/state_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "config/state_file.h"
#include "luks2/json.h"

enum mortise_code state_json_damaged(const struct state_json *file, const char *why,
				     struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CORRUPT, 0, "%s/%s is damaged: %s", file->dir, file->name,
			 why);
}

enum mortise_code state_json_parse(const struct state_json *file, const char *text, size_t size,
				   struct json_object **out, struct mortise_error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex((int)file->limits.depth);
	size_t end;

	*out = NULL;
	if (!tokener)
		return error_memory(err);
	if (!json_scan(text, size, &file->limits, &end)) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		*out = json_tokener_parse_ex(tokener, text, (int)size);
		/* json-c returns NULL for null, which lacks all members, too. */
		if (json_tokener_get_error(tokener) == json_tokener_success && !*out)
			*out = json_object_new_object();
	}
	json_tokener_free(tokener);
	return *out ? MORTISE_OK : state_json_damaged(file, "it is not JSON", err);
}

static enum mortise_code read_file(const struct state_json *file, int fd, struct json_object **out,
				   struct mortise_error *err)
{
	enum mortise_code code;
	struct stat st;
	ssize_t size;
	char *text;

	if (!fstat(fd, &st) && !S_ISREG(st.st_mode))
		return state_json_damaged(file, "not a regular file", err);
	text = malloc(file->max + 1);
	if (!text)
		return error_memory(err);
	size = file_read_fd(fd, text, file->max + 1);
	if (size < 0)
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s/%s", file->dir,
				 file->name);
	else if ((size_t)size > file->max)
		code = state_json_damaged(file, "it is too large", err);
	else
		code = state_json_parse(file, text, (size_t)size, out, err);
	free(text);
	return code;
}

enum mortise_code state_json_read(const struct state_json *file, struct json_object **out,
				  struct mortise_error *err)
{
	enum mortise_code code;
	int dir, fd;

	*out = NULL;
	code = config_state_dir_open(file->root, file->dir, &dir, err);
	if (code)
		return code;
	/* O_NONBLOCK: opening a FIFO does not wait. */
	fd = openat(dir, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		code = read_file(file, fd, out, err);
	else if (errno != ENOENT)
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s/%s", file->dir,
				 file->name);
	if (fd >= 0)
		close(fd);
	close(dir);
	return code;
}

enum mortise_code state_json_store(const struct state_json *file, struct json_object *root,
				   struct mortise_error *err)
{
	const char *text = root ? luks2_json_plain(root) : NULL;
	const struct config_state_file bytes = {
		.name = file->name,
		.replace = true,
		.bytes = text,
		.size = text ? strlen(text) : 0,
	};
	enum mortise_code code;
	int dir;

	if (!text)
		return error_memory(err);
	code = config_state_dir_open(file->root, file->dir, &dir, err);
	if (code)
		return code;
	code = config_state_file_store(dir, file->dir, &bytes, err);
	close(dir);
	return code;
}

bool state_json_copy(struct json_object *object, const char *key, char *text, size_t room)
{
	struct json_object *member = luks2_json_get(object, key, json_type_string);
	size_t length = member ? (size_t)json_object_get_string_len(member) : 0;
	const char *from = member ? json_object_get_string(member) : NULL;

	if (!from || length >= room)
		return false;
	for (size_t i = 0; i < length; i++)
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	memcpy(text, from, length + 1);
	return true;
}
