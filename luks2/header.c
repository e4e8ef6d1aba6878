/* SPDX-License-Identifier: MIT */
/* The header object: what other folders may know about it and set in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/ciphers.h"
#include "luks2/integrity.h"
#include "luks2/private.h"

void mortise_luks2_free(struct mortise_luks2 **address)
{
	struct mortise_luks2 *header = address ? *address : NULL;

	if (!header)
		return;
	*address = NULL;
	luks2_device_close(header->device);
	free(header->data_path);
	free(header->luks1);
	json_object_put(header->metadata);
	mortise_secret_free(&header->volume_key);
	mortise_secret_free(&header->next_key);
	free(header);
}

enum mortise_code luks2_header_set_data_path(struct mortise_luks2 *header, const char *path,
					     struct mortise_error *err)
{
	char *copy = strdup(path);

	if (!copy)
		return error_memory(err);
	free(header->data_path);
	header->data_path = copy;
	header->detached = true;
	return MORTISE_OK;
}

void luks2_header_set_readonly(struct mortise_luks2 *header)
{
	header->readonly = true;
}

bool luks2_header_is_readonly(const struct mortise_luks2 *header)
{
	return header->readonly;
}

bool luks2_header_is_luks1(const struct mortise_luks2 *header)
{
	return header->luks1;
}

void luks2_header_set_max_unlock(struct mortise_luks2 *header, uint32_t seconds)
{
	header->max_unlock_s = seconds;
}

uint32_t luks2_header_max_unlock(const struct mortise_luks2 *header)
{
	return header->max_unlock_s ? header->max_unlock_s : LUKS2_MAX_UNLOCK_S;
}

void luks2_header_allow_cipher(struct mortise_luks2 *header, const char *cipher)
{
	snprintf(header->allowed_cipher, sizeof(header->allowed_cipher), "%s",
		 cipher ? cipher : "");
}

enum mortise_code luks2_header_check_cipher(const struct mortise_luks2 *header, const char *who,
					    const char *cipher, uint32_t key_size,
					    struct mortise_error *err)
{
	return luks2_cipher_check(who, cipher, key_size, header->allowed_cipher, err);
}

enum mortise_code luks2_header_check_segment(const struct mortise_luks2 *header,
					     const struct luks2_segment *segment, size_t key_size,
					     struct mortise_error *err)
{
	return luks2_integrity_check("segment 0", segment->cipher, (uint32_t)key_size,
				     &segment->integrity, header->allowed_cipher, err);
}

void luks2_header_set_kernel_cipher(struct mortise_luks2 *header,
				    const struct luks2_kernel_cipher *cipher)
{
	header->kernel = *cipher;
}

void luks2_header_set_events(struct mortise_luks2 *header, const struct mortise_events *events)
{
	header->device->events = events ? *events : (struct mortise_events){ .call = NULL };
}

const struct mortise_events *luks2_header_events(const struct mortise_luks2 *header)
{
	return &header->device->events;
}

void luks2_header_set_limiter(struct mortise_luks2 *header, struct memory_limiter limiter)
{
	header->limiter = limiter;
}

void luks2_header_inherit(struct mortise_luks2 *header, struct mortise_luks2 *from)
{
	header->limiter = from->limiter;
	header->max_unlock_s = from->max_unlock_s;
	header->device->events = from->device->events;
	mortise_secret_free(&header->volume_key);
	header->volume_key = from->volume_key;
	from->volume_key = NULL;
	mortise_secret_free(&header->next_key);
	header->next_key = from->next_key;
	from->next_key = NULL;
}

const char *luks2_header_uuid(const struct mortise_luks2 *header)
{
	return header->binary.uuid;
}

const char *luks2_header_data_path(const struct mortise_luks2 *header)
{
	return header->data_path;
}

const struct luks2_device *luks2_header_device(const struct mortise_luks2 *header)
{
	return header->device;
}

const struct luks2_binary *luks2_header_binary(const struct mortise_luks2 *header)
{
	return &header->binary;
}

/* Replaces *known by a copy. */
static enum mortise_code know_key(struct mortise_secret **known, const struct mortise_secret *key,
				  struct mortise_error *err)
{
	struct mortise_secret *copy;
	enum mortise_code code =
		mortise_secret_from(mortise_secret_data(key), mortise_secret_size(key), &copy, err);

	if (code)
		return code;
	mortise_secret_free(known);
	*known = copy;
	return MORTISE_OK;
}

enum mortise_code luks2_header_set_volume_key(struct mortise_luks2 *header,
					      const struct mortise_secret *key,
					      struct mortise_error *err)
{
	return know_key(&header->volume_key, key, err);
}

enum mortise_code luks2_header_set_next_key(struct mortise_luks2 *header,
					    const struct mortise_secret *key,
					    struct mortise_error *err)
{
	return know_key(&header->next_key, key, err);
}

const struct mortise_secret *luks2_header_next_key(const struct mortise_luks2 *header)
{
	return header->next_key;
}

const struct mortise_secret *luks2_header_volume_key(const struct mortise_luks2 *header)
{
	return header->volume_key;
}

bool luks2_header_is_whole(const struct mortise_luks2 *header)
{
	return !header->primary_bad && !header->secondary_bad;
}

bool luks2_header_equal(const struct mortise_luks2 *a, const struct mortise_luks2 *b)
{
	return a->binary.seqid == b->binary.seqid && !strcmp(a->binary.uuid, b->binary.uuid) &&
	       json_object_equal(a->metadata, b->metadata);
}

struct json_object *luks2_header_metadata(const struct mortise_luks2 *header)
{
	return header->metadata;
}
