/* SPDX-License-Identifier: MIT */
#include "luks2/binary.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "keys/hash.h"
#include "luks2/bytes.h"
#include "base/secret.h"

/* Offsets of the fields. Integers are big-endian. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 6,
	AT_COPY_SIZE = 8,
	AT_SEQID = 16,
	AT_LABEL = 24,
	AT_CHECKSUM_HASH = 72,
	AT_SALT = 104,
	AT_UUID = 168,
	AT_SUBSYSTEM = 208,
	AT_OFFSET = 256,
	AT_CHECKSUM = 448,
	CHECKSUM_ROOM = 64,
	MAGIC_SIZE = 6,
};

_Static_assert(AT_LABEL + sizeof(((struct luks2_binary *)0)->label) == AT_CHECKSUM_HASH, "label");
_Static_assert(AT_UUID + sizeof(((struct luks2_binary *)0)->uuid) == AT_SUBSYSTEM, "uuid");
_Static_assert(AT_CHECKSUM + CHECKSUM_ROOM == 512, "the fields end with the first sector");

static const uint8_t magic_primary[MAGIC_SIZE] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };
static const uint8_t magic_secondary[MAGIC_SIZE] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

bool luks2_copy_size_valid(uint64_t size)
{
	return size >= LUKS2_COPY_SIZE_MIN && size <= LUKS2_COPY_SIZE_MAX &&
	       (size & (size - 1)) == 0;
}

bool luks2_binary_is_luks1(const uint8_t bytes[static LUKS2_BINARY_SIZE])
{
	/* The stripes of keyslot 0 distinguish it from a LUKS2 header with a damaged version. */
	return !memcmp(bytes + AT_MAGIC, magic_primary, MAGIC_SIZE) &&
	       load_be(bytes + AT_VERSION, 2) == 1 && load_be(bytes + 252, 4) == 4000;
}

enum mortise_code luks2_binary_decode(const uint8_t bytes[static LUKS2_BINARY_SIZE],
				      uint64_t offset, struct luks2_binary *binary,
				      struct mortise_error *err)
{
	const uint8_t *magic = offset ? magic_secondary : magic_primary;
	uint64_t at = load_be(bytes + AT_OFFSET, 8);

	if (memcmp(bytes + AT_MAGIC, magic, MAGIC_SIZE))
		return error_set_at(err, MORTISE_E_NOT_LUKS2, 0, offset, "no LUKS2 magic");
	if (load_be(bytes + AT_VERSION, 2) != 2)
		return error_set_at(err, MORTISE_E_NOT_LUKS2, 0, offset,
				    "LUKS version %" PRIu64 ", not 2",
				    load_be(bytes + AT_VERSION, 2));
	binary->copy_size = load_be(bytes + AT_COPY_SIZE, 8);
	if (at != offset)
		return error_set_at(err, MORTISE_E_CORRUPT, 0, offset,
				    "the header at offset %" PRIu64 " states offset %" PRIu64,
				    offset, at);
	if (!luks2_copy_size_valid(binary->copy_size) || (offset && offset != binary->copy_size))
		return error_set_at(err, MORTISE_E_CORRUPT, 0, offset,
				    "invalid header size %" PRIu64, binary->copy_size);
	binary->seqid = load_be(bytes + AT_SEQID, 8);
	load_text(binary->label, sizeof(binary->label), bytes + AT_LABEL);
	load_text(binary->checksum_hash, sizeof(binary->checksum_hash), bytes + AT_CHECKSUM_HASH);
	memcpy(binary->salt, bytes + AT_SALT, sizeof(binary->salt));
	load_text(binary->uuid, sizeof(binary->uuid), bytes + AT_UUID);
	load_text(binary->subsystem, sizeof(binary->subsystem), bytes + AT_SUBSYSTEM);
	return MORTISE_OK;
}

void luks2_binary_encode(const struct luks2_binary *binary, uint64_t offset,
			 uint8_t bytes[static LUKS2_BINARY_SIZE])
{
	memset(bytes, 0, LUKS2_BINARY_SIZE);
	memcpy(bytes + AT_MAGIC, offset ? magic_secondary : magic_primary, MAGIC_SIZE);
	store_be(bytes + AT_VERSION, 2, 2);
	store_be(bytes + AT_COPY_SIZE, 8, binary->copy_size);
	store_be(bytes + AT_SEQID, 8, binary->seqid);
	store_text(bytes + AT_LABEL, binary->label, sizeof(binary->label));
	store_text(bytes + AT_CHECKSUM_HASH, binary->checksum_hash, sizeof(binary->checksum_hash));
	memcpy(bytes + AT_SALT, binary->salt, sizeof(binary->salt));
	store_text(bytes + AT_UUID, binary->uuid, sizeof(binary->uuid));
	store_text(bytes + AT_SUBSYSTEM, binary->subsystem, sizeof(binary->subsystem));
	store_be(bytes + AT_OFFSET, 8, offset);
}

static enum mortise_code compute_checksum(const struct luks2_binary *binary, const uint8_t *copy,
					  uint8_t digest[static KEYS_HASH_SIZE_MAX],
					  struct mortise_error *err)
{
	static const uint8_t zeros[CHECKSUM_ROOM];
	const struct keys_bytes part[] = {
		{ copy, AT_CHECKSUM },
		{ zeros, CHECKSUM_ROOM },
		{ copy + AT_CHECKSUM + CHECKSUM_ROOM,
		  (size_t)binary->copy_size - AT_CHECKSUM - CHECKSUM_ROOM },
	};
	struct keys_hash *hash = NULL;
	enum mortise_code code;

	code = keys_hash_new(binary->checksum_hash, &hash, err);
	if (!code)
		code = keys_hash_parts(hash, part, 3, digest, err);
	keys_hash_free(hash);
	return code;
}

enum mortise_code luks2_checksum_set(const struct luks2_binary *binary, uint8_t *copy,
				     struct mortise_error *err)
{
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = compute_checksum(binary, copy, digest, err);

	if (!code)
		memcpy(copy + AT_CHECKSUM, digest, keys_hash_size(binary->checksum_hash));
	return code;
}

enum mortise_code luks2_checksum_check(const struct luks2_binary *binary, const uint8_t *copy,
				       struct mortise_error *err)
{
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = compute_checksum(binary, copy, digest, err);

	if (code == MORTISE_E_UNSUPPORTED)
		return error_set(err, MORTISE_E_CORRUPT, 0, "unknown checksum hash \"%s\"",
				 binary->checksum_hash);
	if (!code &&
	    !secret_equal(digest, copy + AT_CHECKSUM, keys_hash_size(binary->checksum_hash)))
		return error_set(err, MORTISE_E_CORRUPT, 0, "checksum does not match");
	return code;
}
