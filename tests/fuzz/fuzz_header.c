/* SPDX-License-Identifier: MIT */
/*
 * Hostile headers, whose checksums are valid: load, read everything, open a keyslot, update, load
 * again. The input is a program that edits the JSON metadata of a real header (see edit()), so that
 * most inputs are valid JSON and many pass the validator. The device is in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "luks2/layout.h"
#include "luks2/policy.h"
#include "luks2/private.h"
#include "luks2/seal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define COPY	   LUKS2_COPY_SIZE_MIN
#define ROOM	   (COPY - LUKS2_BINARY_SIZE)
#define IMAGE	   (2 * COPY + 6 * 131072u)
#define PASSPHRASE "a passphrase"
#define COST	   2000u /* iterations of PBKDF2, or passes times KiB of Argon2 */
#define EDITS_MAX  8u

enum kind { LOADED, OPENED, SEALED, UPDATED };
const char *const fuzz_kinds[] = { "loaded", "opened", "with a valid seal", "updated", NULL };

/* The first byte of an input, bits. */
enum mode {
	EDIT_FIRST_ONLY = 1u << 0, /* the second copy is that of the real header */
	NEWER_FIRST = 1u << 1,
	NEWER_SECOND = 1u << 2,
	BAD_CHECKSUM = 1u << 3, /* of the first copy */
	PATCH_BINARY = 1u << 4, /* two bytes select the place, the third is the value */
	NO_LOCKS = 1u << 5,
	TEXT = 1u << 6, /* the rest of the input is the JSON text */
};

static struct {
	uint8_t *image;
	uint8_t original[IMAGE];
	char path[32];
	struct luks2_binary binary;
	struct json_object *metadata; /* of the original, without its seal */
	uint8_t key[32];
} device;

/* Each run must format the same header. (xorshift64, Marsaglia 2003) */
ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	(void)flags;
	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		((uint8_t *)bytes)[i] = (uint8_t)(state >> 32);
	}
	return (ssize_t)size;
}

static struct mortise_secret *passphrase(void)
{
	struct mortise_secret *made = NULL;

	check(!mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &made, NULL));
	return made;
}

static const struct mortise_keyslot_new *cheap_keyslot(int id, bool argon2)
{
	static struct mortise_kdf_choice cost;
	static struct mortise_keyslot_new what;

	cost = (struct mortise_kdf_choice){
		.struct_size = sizeof(cost),
		.type = argon2 ? MORTISE_KDF_ARGON2ID : MORTISE_KDF_PBKDF2,
		.forced_time = argon2 ? 4 : 1000,
		.memory_kib = argon2 ? 32 : 0,
		.lanes = argon2 ? 1 : 0,
	};
	what = (struct mortise_keyslot_new){ .struct_size = sizeof(what),
					     .keyslot = id,
					     .kdf = &cost };
	return &what;
}

static enum mortise_code load(bool no_locks, struct mortise_luks2 **header,
			      struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device.path,
						   .no_locks = no_locks };

	*header = NULL;
	return mortise_luks2_load(&location, header, err);
}

static struct json_object *without_seal(const struct mortise_luks2 *header)
{
	struct json_object *copy = NULL;

	check(!json_object_deep_copy(luks2_header_metadata(header), &copy, NULL));
	json_object_object_del(luks2_record(copy), "seal");
	return copy;
}

/* A header with two keyslots, a token, a label and a flag. */
static void begin(void)
{
	static const char token[] = "{\"type\":\"t\",\"keyslots\":[\"0\"],\"x\":[1,{\"y\":null}]}";
	const struct mortise_token_import import = { .struct_size = sizeof(import),
						     .token = MORTISE_ANY,
						     .keyslot = MORTISE_ANY };
	const struct mortise_format format = { .struct_size = sizeof(format),
					       .key_size = sizeof(device.key),
					       .data_offset = IMAGE,
					       .label = "label",
					       .digest_iterations = 1000 };
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device.path };
	struct mortise_secret *given;
	struct mortise_luks2 *header = NULL;
	int fd = memfd_create("header", MFD_CLOEXEC);

	check(fd >= 0 && !ftruncate(fd, IMAGE));
	device.image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(device.image != MAP_FAILED);
	snprintf(device.path, sizeof(device.path), "/proc/self/fd/%d", fd);
	given = passphrase();
	check(!mortise_luks2_format(&location, &format, &header, NULL));
	check(!mortise_keyslot_add(header, cheap_keyslot(0, false), given, NULL, NULL, NULL));
	check(!mortise_keyslot_add(header, cheap_keyslot(1, true), given, NULL, NULL, NULL));
	check(!mortise_token_import(header, &import, token, strlen(token), NULL, NULL));
	memcpy(device.key, mortise_secret_data(luks2_header_volume_key(header)),
	       sizeof(device.key));
	device.binary = *luks2_header_binary(header);
	device.metadata = without_seal(header);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	memcpy(device.original, device.image, IMAGE);
}

/* A value for a member. */
static struct json_object *value(void)
{
	static const char *const values[] = {
		"null",
		"true",
		"0",
		"1",
		"2",
		"31",
		"32",
		"-1",
		"512",
		"4000",
		"4001",
		"4294967295",
		"4294967296",
		"9223372036854775807",
		"1.5",
		"[]",
		"{}",
		"[\"0\"]",
		"[\"1\"]",
		"[0]",
		"[\"0\",\"0\"]",
		"\"\"",
		"\"0\"",
		"\"1\"",
		"\"7\"",
		"\"8\"",
		"\"00\"",
		"\"-1\"",
		"\"512\"",
		"\"4096\"",
		"\"12288\"",
		"\"16384\"",
		"\"32768\"",
		"\"131072\"",
		"\"163840\"",
		"\"819200\"",
		"\"18446744073709551615\"",
		"\"18446744073709551616\"",
		"\"dynamic\"",
		"\"crypt\"",
		"\"linear\"",
		"\"luks2\"",
		"\"reencrypt\"",
		"\"raw\"",
		"\"none\"",
		"\"checksum\"",
		"\"journal\"",
		"\"datashift\"",
		"\"pbkdf2\"",
		"\"argon2i\"",
		"\"argon2id\"",
		"\"sha1\"",
		"\"sha512\"",
		"\"no-hash\"",
		"\"aes-cbc-essiv:sha256\"",
		"\"aes-xts-plain\"",
		"\"cipher_null-ecb\"",
		"\"serpent-xts-plain64\"",
		"\"backup-final\"",
		"\"in-reencryption\"",
		"\"allow-discards\"",
		"\"online-reencrypt-v2\"",
		"\"AAAA\"",
		"\"AAAAAAAAAAAAAAAAAAAAAA==\"",
		"\"\\u0000x\"",
		"\"\\n\\u001b[0m\"",
		"\"luks2-keyring\"",
		"\"mortise\"",
	};

	return json_tokener_parse(values[next() % (sizeof(values) / sizeof(*values))]);
}

static const char *name(void)
{
	static const char *const names[] = {
		"0",
		"1",
		"2",
		"7",
		"8",
		"31",
		"32",
		"00",
		"x",
		"",
		"type",
		"keyslots",
		"segments",
		"digests",
		"tokens",
		"config",
		"priority",
		"kdf",
		"af",
		"area",
		"hash",
		"size",
		"offset",
		"flags",
		"requirements",
		"mandatory",
		"integrity",
		"mode",
		"direction",
		"time",
		"memory",
		"cpus",
		"salt",
		"iterations",
		"key_size",
		"shift_size",
		"sector_size",
		"iv_tweak",
		"encryption",
		"mortise",
		"json_size",
		"keyslots_size",
	};

	return names[next() % (sizeof(names) / sizeof(*names))];
}

/* Copies a member, or parses the next bytes of the input. */
static struct json_object *other_value(struct json_object *member)
{
	struct json_object *made = NULL;
	char text[256];
	size_t size;

	if (next() % 2) {
		(void)json_object_deep_copy(member, &made, NULL);
		return made;
	}
	size = next();
	for (size_t i = 0; i < size; i++)
		text[i] = (char)next();
	text[size] = '\0';
	return json_tokener_parse(text);
}

/* Goes down a path, and changes the member at its end. */
static void edit_array(struct json_object *array)
{
	size_t count = json_object_array_length(array), i = count ? next() % count : 0;

	switch (next() % 3) {
	case 0:
		if (count)
			json_object_array_del_idx(array, i, 1);
		break;
	case 1:
		json_object_array_add(array, value());
		break;
	default:
		json_object_array_put_idx(array, i, value());
		break;
	}
}

static void edit_object(struct json_object *object, const char *key, struct json_object *member)
{
	switch (next() % 6) {
	case 0:
		json_object_object_del(object, key);
		break;
	case 1:
	case 2:
		json_object_object_add(object, key, value());
		break;
	case 3:
		json_object_object_add(object, name(), json_object_get(member));
		json_object_object_del(object, key);
		break;
	case 4:
		json_object_object_add(object, name(), other_value(member));
		break;
	default:
		json_object_object_add(object, name(), value());
		break;
	}
}

static void edit(struct json_object *metadata)
{
	struct json_object *parent = metadata;

	for (;;) {
		struct json_object *member = NULL;
		char *key = NULL;
		size_t index;

		if (json_object_is_type(parent, json_type_array)) {
			edit_array(parent);
			return;
		}
		if (!json_object_object_length(parent)) {
			json_object_object_add(parent, name(), value());
			return;
		}
		index = next() % (size_t)json_object_object_length(parent);
		json_object_object_foreach(parent, each, of_each) {
			if (!index--) {
				key = strdup(each);
				member = of_each;
				break;
			}
		}
		if ((json_object_is_type(member, json_type_object) ||
		     json_object_is_type(member, json_type_array)) &&
		    next() % 8) {
			parent = member;
			free(key);
			continue;
		}
		edit_object(parent, key, member);
		free(key);
		return;
	}
}

/* Writes the edited JSON text to a copy, without its checksum. */
static void put_json(uint8_t *copy, unsigned mode)
{
	char *area = (char *)copy + LUKS2_BINARY_SIZE;
	struct json_object *metadata;
	const char *text;

	if (mode & TEXT) {
		memset(area, 0, ROOM);
		memcpy(area, input.at, input.left < ROOM ? input.left : ROOM);
		return;
	}
	metadata = json_tokener_parse(area);
	check(metadata);
	for (unsigned left = 1 + next() % EDITS_MAX; left && input.left; left--)
		edit(metadata);
	text = luks2_json_plain(metadata);
	if (strlen(text) < ROOM) {
		memset(area, 0, ROOM);
		memcpy(area, text, strlen(text));
	}
	json_object_put(metadata);
}

static void put_copies(unsigned mode)
{
	uint8_t *first = device.image, *second = device.image + COPY;
	struct luks2_binary newer = device.binary;
	unsigned at = 0, patch = 0;

	memcpy(device.image, device.original, IMAGE);
	newer.seqid++;
	if (mode & PATCH_BINARY) {
		at = next() << 8 | next();
		patch = next();
	}
	if (mode & NEWER_FIRST)
		luks2_binary_encode(&newer, 0, first);
	if (mode & NEWER_SECOND)
		luks2_binary_encode(&newer, COPY, second);
	put_json(first, mode);
	if (!(mode & EDIT_FIRST_ONLY))
		memcpy(second + LUKS2_BINARY_SIZE, first + LUKS2_BINARY_SIZE, ROOM);
	if (mode & PATCH_BINARY)
		first[at % LUKS2_BINARY_SIZE] = (uint8_t)patch;
	check(!luks2_checksum_set(&device.binary, first, NULL));
	check(!luks2_checksum_set(&device.binary, second, NULL));
	if (mode & BAD_CHECKSUM)
		first[COPY - 1] ^= 1;
}

/* True if deriving the keys of all keyslots takes no time. */
static bool is_cheap(const struct mortise_luks2 *header)
{
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		struct mortise_keyslot_info slot = { .struct_size = sizeof(slot) };
		struct mortise_digest_info digest = { .struct_size = sizeof(digest) };

		if (!mortise_keyslot_info(header, id, &slot, NULL) &&
		    (uint64_t)slot.kdf.time * (slot.kdf.memory_kib ? slot.kdf.memory_kib : 1) >
			    COST)
			return false;
		if (!mortise_digest_info(header, id, &digest, NULL) && digest.iterations > COST)
			return false;
	}
	return true;
}

/* Reads everything that the header can tell. */
static void inspect(struct mortise_luks2 *header)
{
	struct json_object *metadata = luks2_header_metadata(header);
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_token_info token = { .struct_size = sizeof(token) };
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct luks2_segment data;
	struct luks2_keyslot keyslot;
	struct mortise_error err;
	uint64_t offset;

	check(!mortise_header_info(header, &info, NULL));
	for (unsigned i = 0; mortise_header_flag(header, i); i++)
		;
	for (unsigned i = 0; mortise_header_requirement(header, i); i++)
		;
	for (int id = -1; id <= (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (luks2_keyslot_get(metadata, id, &keyslot, &err))
			check(*err.text);
		else
			check(keyslot.area_size >= (uint64_t)keyslot.key_size * 4000);
		(void)!mortise_token_info(header, id, &token, NULL);
		if (!mortise_segment_info(header, id, &segment, NULL))
			(void)mortise_segment_flag(header, id, 0);
		(void)mortise_keyslot_others(header, id);
	}
	if (!luks2_segment_get(metadata, &data, &err))
		check(data.cipher && data.sector_size >= 512 && data.sector_size <= 4096);
	else
		check(*err.text);
	if (!luks2_layout_find_area(metadata, metadata, 4096, &offset, NULL))
		check(offset >= 2 * COPY && offset + 4096 <= luks2_keyslots_end(metadata));
}

/* No edit can make a key valid other than the real one. */
static bool opens(struct mortise_luks2 *header, int id)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search), .keyslot = id };
	struct mortise_secret *given, *key = NULL;
	struct mortise_error err;
	enum mortise_code code;

	if (!is_cheap(header))
		return false;
	given = passphrase();
	code = mortise_keyslot_open(header, &search, given, &key, NULL, &err);
	mortise_secret_free(&given);
	check(!key == (code != MORTISE_OK));
	check(!code || (code == err.code && *err.text));
	check(!key || (mortise_secret_size(key) == sizeof(device.key) &&
		       !memcmp(mortise_secret_data(key), device.key, sizeof(device.key))));
	mortise_secret_free(&key);
	return !code;
}

static enum mortise_seal_state seal_state(const struct mortise_luks2 *header)
{
	struct mortise_seal_info info = { .struct_size = sizeof(info) };

	check(!mortise_seal_check(header, &info, NULL));
	return info.state;
}

/* A valid seal proves that nothing has changed since the header was sealed. */
static void check_seal(const struct mortise_luks2 *header)
{
	struct json_object *now;

	if (seal_state(header) != MORTISE_SEAL_VALID)
		return;
	fuzz_accepted(SEALED);
	now = without_seal(header);
	check(json_object_equal(now, device.metadata));
	check(!strcmp(luks2_header_uuid(header), device.binary.uuid));
	json_object_put(now);
}

static enum mortise_code update(struct mortise_luks2 *header, unsigned choice,
				struct mortise_error *err)
{
	static const char token[] = "{\"type\":\"t\",\"keyslots\":[\"0\"]}";
	const struct mortise_token_import import = { .struct_size = sizeof(import),
						     .token = MORTISE_ANY,
						     .keyslot = MORTISE_ANY };
	struct mortise_secret *given;
	enum mortise_code code;

	switch (choice % 9) {
	case 0:
		return mortise_header_set_label(header, "another", "subsystem", err);
	case 1:
		return mortise_token_import(header, &import, token, strlen(token), NULL, err);
	case 2:
		return mortise_token_remove(header, 0, err);
	case 3:
		return mortise_keyslot_set_priority(header, 1, MORTISE_PRIORITY_PREFER, err);
	case 4:
		return mortise_keyslot_remove(header, 1, err);
	case 5:
		return mortise_keyslot_remove_all(header, err);
	case 6:
		return mortise_seal(header, "u-data", err);
	}
	given = passphrase();
	if (choice % 9 == 7)
		code = mortise_keyslot_add(header, cheap_keyslot(MORTISE_ANY, false), given, NULL,
					   NULL, err);
	else
		code = mortise_keyslot_change(header, 1, cheap_keyslot(1, false), given, NULL, err);
	mortise_secret_free(&given);
	return code;
}

/*
 * After an update, another program reads the same header as this one has, and can open it. A valid
 * seal stays valid, and only mortise_seal() replaces a broken one.
 */
static void change(struct mortise_luks2 *header, bool no_locks)
{
	unsigned choice = next();
	bool open = opens(header, MORTISE_ANY);
	enum mortise_seal_state seal = seal_state(header);
	struct mortise_luks2 *again;
	struct mortise_error err;
	enum mortise_code code;

	if (open) {
		fuzz_accepted(OPENED);
		check_seal(header);
	}
	code = update(header, choice, &err);
	if (!code)
		fuzz_accepted(UPDATED);
	else
		check(*err.text);
	check(!load(no_locks, &again, NULL));
	check(luks2_header_equal(header, again));
	if (open && choice % 9 != 4 && choice % 9 != 5 && choice % 9 != 8) {
		check(opens(again, MORTISE_ANY));
		if (seal == MORTISE_SEAL_VALID || (choice % 9 == 6 && !code))
			check(seal_state(again) == MORTISE_SEAL_VALID);
		else if (seal == MORTISE_SEAL_BROKEN)
			check(seal_state(again) == MORTISE_SEAL_BROKEN);
	}
	mortise_luks2_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mortise_luks2 *header;
	struct mortise_error err;
	unsigned mode;

	if (!device.image)
		begin();
	input_begin(data, size);
	mode = next();
	put_copies(mode);
	if (load(mode & NO_LOCKS, &header, &err)) {
		check(!header && *err.text);
		return 0;
	}
	fuzz_accepted(LOADED);
	inspect(header);
	change(header, mode & NO_LOCKS);
	mortise_luks2_free(&header);
	return 0;
}
