/* SPDX-License-Identifier: MIT */
/* Reading, changing and writing the list of known volumes. */
#include "declared/known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json_scan.h"
#include "config/state_file.h"
#include "luks2/json.h"

#define FORMAT_VERSION 1
#define DEPTH	       4 /* the list, its entries, their members */
#define MEMBERS	       6 /* of an entry with every member */

static const char *const status_names[] = {
	[KNOWN_EXPECTED] = "expected",
	[KNOWN_FORMATTING] = "formatting",
	[KNOWN_READY] = "ready",
};

void known_list_init(struct known_list *list)
{
	*list = (struct known_list){ .volumes = NULL };
	pthread_mutex_init(&list->lock, NULL);
}

static void empty_list(struct known_list *list)
{
	free(list->volumes);
	list->volumes = NULL;
	list->count = 0;
	list->is_new = list->changed = false;
}

void known_list_clear(struct known_list *list)
{
	empty_list(list);
	pthread_mutex_destroy(&list->lock);
}

static struct known_volume *find_entry(const struct known_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->volumes[i].id, id))
			return &list->volumes[i];
	return NULL;
}

/* NULL: out of memory. */
static struct known_volume *add_entry(struct known_list *list)
{
	struct known_volume *grown =
		realloc(list->volumes, (list->count + 1) * sizeof(*list->volumes));

	if (!grown)
		return NULL;
	list->volumes = grown;
	return &grown[list->count++];
}

/* Copies a string of printable characters without blanks. False: it is another value. */
static bool copy_text(struct json_object *object, const char *key, char *text, size_t room)
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

static bool parse_status(struct json_object *object, enum known_status *status)
{
	const char *name = luks2_json_text(object, "status");

	for (size_t i = 0; name && i < sizeof(status_names) / sizeof(*status_names); i++) {
		if (strcmp(name, status_names[i]) != 0)
			continue;
		*status = (enum known_status)i;
		return true;
	}
	return false;
}

static bool parse_identity(struct json_object *object, uint8_t identity[VOLUME_IDENTITY_SIZE])
{
	size_t size = VOLUME_IDENTITY_SIZE;

	return luks2_json_base64(object, "identity", identity, &size) &&
	       size == VOLUME_IDENTITY_SIZE;
}

/* Every member must be valid, and no other may be present. */
static bool parse_entry(struct json_object *object, struct known_volume *volume)
{
	struct json_object *encrypted = luks2_json_get(object, "encrypted", json_type_boolean);

	memset(volume, 0, sizeof(*volume));
	if (!copy_text(object, "id", volume->id, sizeof(volume->id)) || !*volume->id ||
	    !parse_status(object, &volume->status))
		return false;
	if (volume->status == KNOWN_EXPECTED)
		return json_object_object_length(object) == 2;
	volume->encrypted = json_object_get_boolean(encrypted);
	return encrypted && copy_text(object, "uuid", volume->uuid, sizeof(volume->uuid)) &&
	       copy_text(object, "partuuid", volume->partuuid, sizeof(volume->partuuid)) &&
	       (!volume->encrypted ||
		(*volume->uuid && parse_identity(object, volume->identity))) &&
	       json_object_object_length(object) == MEMBERS - !volume->encrypted;
}

/* Why the file is damaged, or NULL. *memory: out of memory. */
static const char *parse_list(struct known_list *list, struct json_object *root, bool *memory)
{
	struct json_object *volumes = luks2_json_get(root, "volumes", json_type_array);
	uint64_t version;

	*memory = false;
	if (!luks2_json_integer(root, "version", INT32_MAX, &version))
		return "it has no version";
	if (version != FORMAT_VERSION)
		return "its version is unknown";
	if (!volumes || json_object_object_length(root) != 2)
		return "it is not a list of volumes";
	if (json_object_array_length(volumes) > KNOWN_MAX)
		return "it has too many entries";
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		struct known_volume volume, *entry;

		if (!parse_entry(json_object_array_get_idx(volumes, i), &volume))
			return "an entry is invalid";
		if (find_entry(list, volume.id))
			return "a volume has two entries";
		entry = add_entry(list);
		*memory = !entry;
		if (!entry)
			return "not enough memory";
		*entry = volume;
	}
	return NULL;
}

static enum mortise_code set_damaged(const struct known_list *list, const char *why,
				     struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CORRUPT, 0, "%s/" KNOWN_FILE " is damaged: %s", list->dir,
			 why);
}

enum mortise_code known_parse(struct known_list *list, const char *text, size_t size,
			      struct mortise_error *err)
{
	static const struct json_scan_limits limits = { DEPTH,
							KNOWN_MAX * (MEMBERS + 1) + MEMBERS };
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	struct json_object *root = NULL;
	bool memory = !tokener;
	const char *why = "it is not JSON";
	size_t end;

	if (tokener && !json_scan(text, size, &limits, &end)) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		root = json_tokener_parse_ex(tokener, text, (int)size);
		if (json_tokener_get_error(tokener) == json_tokener_success)
			why = parse_list(list, root, &memory);
	}
	if (tokener)
		json_tokener_free(tokener);
	json_object_put(root);
	if (memory)
		return error_memory(err);
	if (!why)
		return MORTISE_OK;
	return set_damaged(list, why, err);
}

static enum mortise_code read_file(struct known_list *list, int fd, struct mortise_error *err)
{
	enum mortise_code code;
	struct stat st;
	ssize_t size;
	char *text;

	if (!fstat(fd, &st) && !S_ISREG(st.st_mode))
		return set_damaged(list, "not a regular file", err);
	text = malloc(KNOWN_FILE_MAX + 1);
	if (!text)
		return error_memory(err);
	size = file_read_fd(fd, text, KNOWN_FILE_MAX + 1);
	if (size < 0)
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s/" KNOWN_FILE,
				 list->dir);
	else if (size > (ssize_t)KNOWN_FILE_MAX)
		code = set_damaged(list, "it is too large", err);
	else
		code = known_parse(list, text, (size_t)size, err);
	free(text);
	return code;
}

enum mortise_code known_load(struct known_list *list, const char *root, const char *dir,
			     struct mortise_error *err)
{
	enum mortise_code code;
	int dir_fd, fd;

	empty_list(list);
	list->root = root;
	list->dir = dir;
	code = config_state_dir_open(root, dir, &dir_fd, err);
	if (code)
		return code;
	/* O_NONBLOCK: opening a FIFO does not wait. */
	fd = openat(dir_fd, KNOWN_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	list->is_new = fd < 0 && errno == ENOENT;
	if (fd >= 0)
		code = read_file(list, fd, err);
	else if (!list->is_new)
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s/" KNOWN_FILE, dir);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	if (code)
		empty_list(list);
	return code;
}

bool known_find(struct known_list *list, const char *id, struct known_volume *volume)
{
	const struct known_volume *entry;

	pthread_mutex_lock(&list->lock);
	entry = find_entry(list, id);
	if (entry)
		*volume = *entry;
	pthread_mutex_unlock(&list->lock);
	return entry;
}

static bool is_same(const struct known_volume *a, const struct known_volume *b)
{
	return a->status == b->status && a->encrypted == b->encrypted &&
	       !strcmp(a->uuid, b->uuid) && !strcmp(a->partuuid, b->partuuid) &&
	       !memcmp(a->identity, b->identity, sizeof(a->identity));
}

enum mortise_code known_set(struct known_list *list, const struct known_volume *volume,
			    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct known_volume *entry;

	pthread_mutex_lock(&list->lock);
	entry = find_entry(list, volume->id);
	if (entry && is_same(entry, volume))
		goto out;
	if (!entry && list->count == KNOWN_MAX) {
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "cannot record volume %s: the list of known volumes is full",
				 volume->id);
		goto out;
	}
	if (!entry)
		entry = add_entry(list);
	if (!entry) {
		code = error_memory(err);
		goto out;
	}
	*entry = *volume;
	list->changed = true;
out:
	pthread_mutex_unlock(&list->lock);
	return code;
}

void known_remove(struct known_list *list, const char *id)
{
	struct known_volume *entry;

	pthread_mutex_lock(&list->lock);
	entry = find_entry(list, id);
	if (entry) {
		*entry = list->volumes[--list->count];
		list->changed = true;
	}
	pthread_mutex_unlock(&list->lock);
}

static struct json_object *new_entry(const struct known_volume *volume)
{
	struct json_object *object = json_object_new_object();
	bool ok = object && luks2_json_add(object, "id", json_object_new_string(volume->id)) &&
		  luks2_json_add(object, "status",
				 json_object_new_string(status_names[volume->status]));

	if (ok && volume->status != KNOWN_EXPECTED)
		ok = luks2_json_add(object, "encrypted",
				    json_object_new_boolean(volume->encrypted)) &&
		     luks2_json_add(object, "uuid", json_object_new_string(volume->uuid)) &&
		     luks2_json_add(object, "partuuid", json_object_new_string(volume->partuuid)) &&
		     (!volume->encrypted ||
		      luks2_json_add(
			      object, "identity",
			      luks2_json_new_base64(volume->identity, sizeof(volume->identity))));
	if (ok)
		return object;
	json_object_put(object);
	return NULL;
}

/* NULL: out of memory. */
static struct json_object *new_document(const struct known_list *list)
{
	struct json_object *root = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	bool ok = root && volumes &&
		  luks2_json_add(root, "version", json_object_new_int(FORMAT_VERSION));

	for (size_t i = 0; ok && i < list->count; i++)
		ok = luks2_json_append(volumes, new_entry(&list->volumes[i]));
	if (ok && luks2_json_add(root, "volumes", json_object_get(volumes))) {
		json_object_put(volumes);
		return root;
	}
	json_object_put(volumes);
	json_object_put(root);
	return NULL;
}

static enum mortise_code write_file(const struct known_list *list, struct mortise_error *err)
{
	struct json_object *root = new_document(list);
	const char *text = root ? luks2_json_plain(root) : NULL;
	const struct config_state_file file = {
		.name = KNOWN_FILE,
		.replace = true,
		.bytes = text,
		.size = text ? strlen(text) : 0,
	};
	enum mortise_code code;
	int dir;

	if (!text) {
		code = error_memory(err);
		goto out;
	}
	code = config_state_dir_open(list->root, list->dir, &dir, err);
	if (code)
		goto out;
	code = config_state_file_store(dir, list->dir, &file, err);
	close(dir);
out:
	json_object_put(root);
	return code;
}

enum mortise_code known_store(struct known_list *list, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	pthread_mutex_lock(&list->lock);
	if (list->is_new || list->changed)
		code = write_file(list, err);
	if (!code)
		list->is_new = list->changed = false;
	pthread_mutex_unlock(&list->lock);
	return code;
}
