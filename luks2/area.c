/* SPDX-License-Identifier: MIT */
#include "luks2/area.h"

#include <stdlib.h>

#include "keys/af.h"
#include "keys/area.h"
#include "base/error.h"
#include "base/events.h"
#include "base/secret.h"
#include "luks2/private.h"

#define WIPE_PIECE (128u << 10) /* bytes: a machine with 64 MB of memory has few to spare */

uint64_t luks2_area_room(uint32_t key_size)
{
	uint64_t split = (uint64_t)key_size * KEYS_AF_STRIPES;

	return (split + 4095) / 4096 * 4096;
}

size_t luks2_area_used(uint32_t key_size)
{
	return ((size_t)key_size * KEYS_AF_STRIPES + 511) / 512 * 512;
}

static enum mortise_code cipher_unsupported(const struct luks2_area *area,
					    struct mortise_error *err)
{
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "cannot use cipher %.60s with a key of %zu bits: the crypto library "
			 "does not have it, and the kernel's ciphers are not available here",
			 area->cipher, area->key_size * 8);
}

enum mortise_code luks2_area_read(const struct mortise_luks2 *header, const struct luks2_area *area,
				  uint8_t *plain, struct mortise_error *err)
{
	enum mortise_code code;

	if (!keys_area_supported(area->cipher, area->key_size)) {
		if (!header->kernel.read)
			return cipher_unsupported(area, err);
		return header->kernel.read(header->kernel.context, header->device, area, plain,
					   err);
	}
	code = luks2_device_read(header->device, plain, area->size, area->offset, err);
	if (code)
		return code;
	return keys_area_decrypt(area->cipher, area->key, area->key_size, plain, area->size, err);
}

enum mortise_code luks2_area_write(const struct mortise_luks2 *header,
				   const struct luks2_area *area, uint8_t *plain,
				   struct mortise_error *err)
{
	enum mortise_code code;

	if (!keys_area_supported(area->cipher, area->key_size)) {
		if (!header->kernel.write)
			return cipher_unsupported(area, err);
		return header->kernel.write(header->kernel.context, header->device, area, plain,
					    err);
	}
	code = keys_area_encrypt(area->cipher, area->key, area->key_size, plain, area->size, err);
	if (code)
		return code;
	code = luks2_device_write(header->device, plain, area->size, area->offset, err);
	if (code)
		return code;
	return luks2_device_flush(header->device, err);
}

/* Makes noise with a cipher and a key that is discarded: several times as fast as getrandom(2). */
static enum mortise_code fill_random(uint8_t *piece, size_t size, struct mortise_error *err)
{
	uint8_t key[64];
	enum mortise_code code = random_bytes(key, sizeof(key), err);

	if (!code)
		code = keys_area_encrypt("aes-xts-plain64", key, sizeof(key), piece, size, err);
	secret_wipe(key, sizeof(key));
	return code;
}

enum mortise_code luks2_area_wipe(const struct luks2_device *device, uint64_t offset, uint64_t size,
				  const struct mortise_events *events, struct mortise_error *err)
{
	const size_t room = size < WIPE_PIECE ? (size_t)(size + 511) / 512 * 512 : WIPE_PIECE;
	uint8_t *piece = calloc(1, room);
	enum mortise_code code = MORTISE_OK;

	if (!piece)
		return error_memory(err);
	for (uint64_t done = 0; done < size;) {
		size_t now = size - done < WIPE_PIECE ? (size_t)(size - done) : WIPE_PIECE;

		code = fill_random(piece, room, err);
		if (code)
			goto out;
		code = luks2_device_write(device, piece, now, offset + done, err);
		if (code)
			goto out;
		done += now;
		if (!events_progress(events, NULL, "wiping keyslots area", done, size)) {
			code = events_cancel_error(err);
			goto out;
		}
	}
	code = luks2_device_flush(device, err);
out:
	free(piece);
	return code;
}
