/* SPDX-License-Identifier: MIT */
/* Updating a header: at each moment at least one copy on disk is valid. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/area.h"
#include "luks2/private.h"
#include "luks2/seal.h"
#include "luks2/validate.h"

enum mortise_code luks2_copy_write(const struct luks2_device *device,
				   const struct luks2_binary *binary, uint64_t offset,
				   const char *json, struct mortise_error *err)
{
	size_t size = (size_t)binary->copy_size;
	uint8_t *copy = malloc(size);
	enum mortise_code code;

	if (!copy)
		return error_memory(err);
	luks2_binary_encode(binary, offset, copy);
	memcpy(copy + LUKS2_BINARY_SIZE, json, size - LUKS2_BINARY_SIZE);
	code = luks2_checksum_set(binary, copy, err);
	if (code)
		goto out;
	code = luks2_device_write(device, copy, size, offset, err);
	if (code)
		goto out;
	code = luks2_device_flush(device, err);
out:
	free(copy);
	return code;
}

static enum mortise_code check_unchanged(const struct mortise_luks2 *header,
					 struct mortise_error *err)
{
	uint64_t offset = header->primary_bad ? header->binary.copy_size : 0;
	uint8_t bytes[LUKS2_BINARY_SIZE];
	struct luks2_binary now;
	enum mortise_code code;

	code = luks2_device_read(header->device, bytes, sizeof(bytes), offset, err);
	if (code)
		return code;
	/* Another process may have formatted the device or put other data there. */
	if (luks2_binary_decode(bytes, offset, &now, NULL) ||
	    strcmp(now.uuid, header->binary.uuid) || now.seqid != header->binary.seqid)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "Detected attempt for concurrent LUKS2 metadata update. "
				 "Aborting operation.");
	return MORTISE_OK;
}

static enum mortise_code check_writable(const struct mortise_luks2 *header,
					struct mortise_error *err)
{
	if (header->luks1)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cannot change the LUKS1 header of %s; convert it first: mortise "
				 "convert --type luks2",
				 header->device->path);
	if (header->readonly)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot update the header of %s: it was opened read-only",
				 header->device->path);
	if (header->unmendable)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "cannot update the header of %s: one header copy is damaged and "
				 "may hold other data; use a build with libblkid, which can tell",
				 header->device->path);
	return luks2_device_writable(header->device, err);
}

enum mortise_code luks2_update_begin(struct mortise_luks2 *header, struct luks2_update **out,
				     struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = check_writable(header, err);

	*out = NULL;
	if (code)
		return code;
	code = luks2_device_lock(header->device, true, err);
	if (code)
		return code;
	update = calloc(1, sizeof(*update));
	if (!update) {
		luks2_device_unlock(header->device);
		return error_memory(err);
	}
	update->header = header;
	update->binary = header->binary;
	code = check_unchanged(header, err);
	if (!code && json_object_deep_copy(header->metadata, &update->metadata, NULL))
		code = error_memory(err);
	if (code)
		luks2_update_abort(&update);
	*out = update;
	return code;
}

void luks2_update_abort(struct luks2_update **address)
{
	struct luks2_update *update = *address;

	if (!update)
		return;
	*address = NULL;
	json_object_put(update->metadata);
	luks2_device_unlock(update->header->device);
	free(update);
}

struct json_object *luks2_update_metadata(const struct luks2_update *update)
{
	return update->metadata;
}

static void drop_unused_digests(struct json_object *metadata)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	struct json_object_iterator at = json_object_iter_begin(digests);
	struct json_object_iterator end = json_object_iter_end(digests);

	while (!json_object_iter_equal(&at, &end)) {
		struct json_object *digest = json_object_iter_peek_value(&at);
		struct json_object *keyslots = luks2_json_get(digest, "keyslots", json_type_array);
		struct json_object *segments = luks2_json_get(digest, "segments", json_type_array);

		if (json_object_array_length(keyslots) || json_object_array_length(segments)) {
			json_object_iter_next(&at);
			continue;
		}
		/* A deletion invalidates the iterator. */
		json_object_object_del(digests, json_object_iter_peek_name(&at));
		at = json_object_iter_begin(digests);
	}
}

enum mortise_code luks2_update_fits(const struct luks2_update *update, struct mortise_error *err)
{
	size_t room = (size_t)update->binary.copy_size - LUKS2_BINARY_SIZE;
	const char *text = luks2_json_plain(update->metadata);

	if (!text)
		return error_memory(err);
	/* The text is stored with its NUL. */
	if (strlen(text) >= room)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "%s: the metadata needs %zu bytes, its JSON area has %zu; remove "
				 "a token or keyslot",
				 update->header->device->path, strlen(text) + 1, room);
	return MORTISE_OK;
}

enum mortise_code luks2_copies_write(const struct luks2_update *update, struct mortise_error *err)
{
	const struct mortise_luks2 *header = update->header;
	size_t room = (size_t)update->binary.copy_size - LUKS2_BINARY_SIZE;
	const char *text = luks2_json_plain(update->metadata);
	const struct luks2_binary *primary = &update->binary;
	struct luks2_binary secondary = update->binary;
	uint64_t offset = secondary.copy_size;
	char *area = calloc(1, room);
	enum mortise_code code;

	if (!text || !area) {
		code = error_memory(err);
		goto out;
	}
	memcpy(area, text, strlen(text));
	memcpy(secondary.salt, header->second_salt, sizeof(secondary.salt));
	/* A valid copy is overwritten only after the other one is valid. */
	if (header->secondary_bad) {
		code = luks2_copy_write(header->device, &secondary, offset, area, err);
		if (!code)
			code = luks2_copy_write(header->device, primary, 0, area, err);
	} else {
		code = luks2_copy_write(header->device, primary, 0, area, err);
		if (!code)
			code = luks2_copy_write(header->device, &secondary, offset, area, err);
	}
out:
	free(area);
	return code;
}

/* The same rules as for reading: what mortise writes, every reader accepts. */
static enum mortise_code check_update(const struct luks2_update *update, struct mortise_error *err)
{
	enum mortise_code code = luks2_update_fits(update, err);

	if (code)
		return code;
	code = luks2_validate(update->metadata, update->binary.copy_size - LUKS2_BINARY_SIZE, err);
	/* The update is invalid, not the device. */
	if (code == MORTISE_E_CORRUPT) {
		error_prefix(err, "%s: refusing to write", update->header->device->path);
		code = MORTISE_E_USAGE;
	}
	return code;
}

static enum mortise_code wipe_freed_areas(const struct luks2_update *update,
					  struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (unsigned i = 0; !code && i < update->freed_count; i++)
		code = luks2_area_wipe(update->header->device, update->freed[i].offset,
				       update->freed[i].size, NULL, err);
	return code;
}

enum mortise_code luks2_update_commit(struct luks2_update **address, struct mortise_error *err)
{
	struct luks2_update *update = *address;
	struct mortise_luks2 *header = update->header;
	enum mortise_code code;

	drop_unused_digests(update->metadata);
	code = luks2_seal_commit(update, err);
	if (code)
		goto out;
	code = check_update(update, err);
	if (code)
		goto out;
	update->binary.seqid++;
	code = luks2_copies_write(update, err);
	if (code)
		goto out;
	json_object_put(header->metadata);
	header->metadata = update->metadata;
	update->metadata = NULL;
	header->binary = update->binary;
	header->primary_bad = false;
	header->secondary_bad = false;
	code = wipe_freed_areas(update, err);
out:
	luks2_update_abort(address);
	return code;
}
