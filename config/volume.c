/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "config/volume.h"

char *config_strdup(struct config_log *log, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		log->out_of_memory = true;
	return copy;
}

void config_volume_move_encryption(struct config_volume *to, struct config_volume *from)
{
	to->encrypted = from->encrypted;
	to->cipher = from->cipher;
	to->key_size = from->key_size;
	to->block_size = from->block_size;
	to->perf = from->perf;
	to->allow_discards = from->allow_discards;
	to->rotate_key = from->rotate_key;
	to->in_place = from->in_place;
	to->online = from->online;
	to->limit_rate = from->limit_rate;
	to->integrity = from->integrity;
	to->keys = from->keys;
	to->key_count = from->key_count;
	to->recovery_slots = from->recovery_slots;
	from->cipher = NULL;
	from->rotate_key = NULL;
	from->keys = NULL;
	from->key_count = 0;
}

void config_volume_clear(struct config_volume *volume)
{
	for (size_t i = 0; i < volume->key_count; i++) {
		mortise_secret_free(&volume->keys[i].passphrase);
		free(volume->keys[i].kms_endpoint);
	}
	free(volume->keys);
	free(volume->name);
	free(volume->id);
	free(volume->disk_selector);
	free(volume->provisioning.selector);
	free(volume->cipher);
	free(volume->rotate_key);
	free(volume->mount_point);
	*volume = (struct config_volume){ 0 };
}
