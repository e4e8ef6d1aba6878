/* SPDX-License-Identifier: MIT */
/* Reading, changing and writing the list of known volumes. */
#include "declared/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/state_json.h"
#include "luks2/json.h"

#define FORMAT_VERSION 1
#define DEPTH	       4 /* the list, its entries, their members */
#define MEMBERS	       8 /* of an entry with every member */

static const char *const status_names[] = {
	[KNOWN_EXPECTED] = "expected",	   [KNOWN_FORMATTING] = "formatting",
	[KNOWN_READY] = "ready",	   [KNOWN_ENCRYPTING] = "encrypting",
	[KNOWN_DECRYPTING] = "decrypting",
};

const char *known_status_name(enum known_status status)
{
	return status_names[status];
}

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

static const uint8_t no_identity[VOLUME_IDENTITY_SIZE];

static bool parse_identity(struct json_object *object, const char *member,
			   uint8_t identity[VOLUME_IDENTITY_SIZE])
{
	size_t size = VOLUME_IDENTITY_SIZE;

	return luks2_json_base64(object, member, identity, &size) && size == VOLUME_IDENTITY_SIZE;
}

static bool has_next(const struct known_volume *volume)
{
	return memcmp(volume->next, no_identity, sizeof(no_identity)) != 0;
}

bool known_matches(const struct known_volume *volume,
		   const uint8_t identity[static VOLUME_IDENTITY_SIZE])
{
	return !memcmp(identity, volume->identity, VOLUME_IDENTITY_SIZE) ||
	       (has_next(volume) && !memcmp(identity, volume->next, VOLUME_IDENTITY_SIZE));
}

/* Every member must be valid, and no other may be present. */
static bool parse_entry(struct json_object *object, struct known_volume *volume)
{
	struct json_object *encrypted = luks2_json_get(object, "encrypted", json_type_boolean);
	int members = MEMBERS - 3;

	memset(volume, 0, sizeof(*volume));
	if (!state_json_copy(object, "id", volume->id, sizeof(volume->id)) || !*volume->id ||
	    !parse_status(object, &volume->status))
		return false;
	if (volume->status == KNOWN_EXPECTED)
		return json_object_object_length(object) == 2;
	volume->encrypted = json_object_get_boolean(encrypted);
	members += volume->encrypted;
	if ((volume->encrypted || volume->status == KNOWN_ENCRYPTING) &&
	    parse_identity(object, "next", volume->next))
		members++;
	volume->detached =
		json_object_get_boolean(luks2_json_get(object, "detached", json_type_boolean));
	members += volume->detached;
	return encrypted && state_json_copy(object, "uuid", volume->uuid, sizeof(volume->uuid)) &&
	       state_json_copy(object, "partuuid", volume->partuuid, sizeof(volume->partuuid)) &&
	       (!volume->encrypted ||
		(*volume->uuid && parse_identity(object, "identity", volume->identity))) &&
	       json_object_object_length(object) == members;
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

static struct state_json get_file(const struct known_list *list)
{
	return (struct state_json){
		.root = list->root,
		.dir = list->dir,
		.name = KNOWN_FILE,
		.max = KNOWN_FILE_MAX,
		.limits = { DEPTH, KNOWN_MAX * (MEMBERS + 1) + MEMBERS },
	};
}

static enum mortise_code use_document(struct known_list *list, struct json_object *root,
				      struct mortise_error *err)
{
	const struct state_json file = get_file(list);
	bool memory;
	const char *why = parse_list(list, root, &memory);

	if (memory)
		return error_memory(err);
	return why ? state_json_damaged(&file, why, err) : MORTISE_OK;
}

enum mortise_code known_parse(struct known_list *list, const char *text, size_t size,
			      struct mortise_error *err)
{
	const struct state_json file = get_file(list);
	struct json_object *root;
	enum mortise_code code = state_json_parse(&file, text, size, &root, err);

	if (!code)
		code = use_document(list, root, err);
	json_object_put(root);
	return code;
}

enum mortise_code known_load(struct known_list *list, const char *root, const char *dir,
			     struct mortise_error *err)
{
	struct json_object *document;
	struct state_json file;
	enum mortise_code code;

	empty_list(list);
	list->root = root;
	list->dir = dir;
	file = get_file(list);
	code = state_json_read(&file, &document, err);
	if (!code && document)
		code = use_document(list, document, err);
	if (code)
		empty_list(list);
	else
		list->is_new = !document;
	json_object_put(document);
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
	       a->detached == b->detached && !strcmp(a->uuid, b->uuid) &&
	       !strcmp(a->partuuid, b->partuuid) &&
	       !memcmp(a->identity, b->identity, sizeof(a->identity)) &&
	       !memcmp(a->next, b->next, sizeof(a->next));
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
			      luks2_json_new_base64(volume->identity, sizeof(volume->identity)))) &&
		     (!volume->detached ||
		      luks2_json_add(object, "detached", json_object_new_boolean(true))) &&
		     (!has_next(volume) ||
		      luks2_json_add(object, "next",
				     luks2_json_new_base64(volume->next, sizeof(volume->next))));
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
	const struct state_json file = get_file(list);
	struct json_object *root = new_document(list);
	enum mortise_code code = state_json_store(&file, root, err);

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
