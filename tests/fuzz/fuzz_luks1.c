/* SPDX-License-Identifier: MIT */
/*
 * Hostile LUKS1 headers: load, read everything, open a keyslot, convert to LUKS2 and back. An input
 * patches bytes of a real header: pairs of a place and a value. The device is in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/af.h"
#include "keys/area.h"
#include "keys/kdf.h"
#include "luks2/luks1.h"
#include "luks2/policy.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define IMAGE	 (2304u * LUKS1_SECTOR)
#define KEY_SIZE 32u
#define COST	 2000u /* iterations */

enum kind { LOADED, OPENED, CONVERTED, REVERTED };
const char *const fuzz_kinds[] = { "loaded", "opened", "converted", "converted back", NULL };

static struct {
	uint8_t *image;
	uint8_t original[IMAGE];
	char path[32];
} device;

static struct mortise_secret *passphrase(void)
{
	struct mortise_secret *made = NULL;

	check(!mortise_secret_from("a passphrase", 12, &made, NULL));
	return made;
}

static void derive(const struct mortise_secret *secret, const uint8_t *salt, uint8_t *key,
		   size_t size)
{
	const struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2,
					 .hash = "sha256",
					 .time = 1000 };

	check(!keys_kdf_derive(&kdf, NULL, secret, (struct keys_bytes){ salt, LUKS1_SALT_SIZE },
			       key, size, NULL));
}

/* Keyslots 0 and 3 have the passphrase. */
static void begin(void)
{
	struct luks1_binary binary = { .cipher = "aes",
				       .mode = "xts-plain64",
				       .hash = "sha256",
				       .payload = IMAGE / LUKS1_SECTOR,
				       .key_size = KEY_SIZE,
				       .digest_iterations = 1000,
				       .uuid = "12345678-1234-1234-1234-123456789abc" };
	struct mortise_secret *secret = passphrase(), *volume_key = NULL;
	uint8_t key[KEY_SIZE], volume[KEY_SIZE];
	int fd = memfd_create("header", MFD_CLOEXEC);

	check(fd >= 0 && !ftruncate(fd, IMAGE));
	device.image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(device.image != MAP_FAILED);
	snprintf(device.path, sizeof(device.path), "/proc/self/fd/%d", fd);
	for (unsigned i = 0; i < KEY_SIZE; i++)
		volume[i] = (uint8_t)(i + 1);
	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		struct luks1_keyslot *keyslot = &binary.keyslot[i];
		uint8_t *area;

		keyslot->offset = 8 + i * 256;
		keyslot->state = i % 3 || i > 3 ? LUKS1_INACTIVE : LUKS1_ACTIVE;
		if (keyslot->state == LUKS1_INACTIVE)
			continue;
		area = device.original + (size_t)keyslot->offset * LUKS1_SECTOR;
		keyslot->iterations = 1000;
		keyslot->salt[0] = (uint8_t)i;
		derive(secret, keyslot->salt, key, sizeof(key));
		check(!keys_af_split(volume, KEY_SIZE, KEYS_AF_STRIPES, "sha256", area, NULL));
		check(!keys_area_encrypt("aes-xts-plain64", key, KEY_SIZE, area,
					 (size_t)luks1_area_sectors(&binary) * LUKS1_SECTOR, NULL));
	}
	check(!mortise_secret_from(volume, KEY_SIZE, &volume_key, NULL));
	derive(volume_key, binary.digest_salt, binary.digest, sizeof(binary.digest));
	mortise_secret_free(&volume_key);
	mortise_secret_free(&secret);
	luks1_encode(&binary, device.original);
}

static bool cheap(struct mortise_luks2 *header)
{
	struct mortise_digest_info digest = { .struct_size = sizeof(digest) };
	struct mortise_keyslot_info slot = { .struct_size = sizeof(slot) };

	check(!mortise_digest_info(header, 0, &digest, NULL));
	for (int id = 0; id < (int)LUKS1_KEYSLOTS; id++)
		if (!mortise_keyslot_info(header, id, &slot, NULL) && slot.kdf.time > COST)
			return false;
	return digest.iterations <= COST;
}

static bool opens(struct mortise_luks2 *header)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_secret *given = passphrase();
	struct mortise_error err;
	enum mortise_code code = mortise_keyslot_open(header, &search, given, NULL, NULL, &err);

	mortise_secret_free(&given);
	check(!code || *err.text);
	return !code;
}

static void read_all(struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_error err;

	check(!mortise_header_info(header, &info, NULL) && info.version == 1);
	check(info.key_size && strlen(info.uuid) < 40);
	check(!mortise_segment_info(header, 0, &segment, NULL) && *segment.cipher);
	check(mortise_keyslot_remove(header, 0, &err) && *err.text);
	check(mortise_header_set_label(header, "label", NULL, &err) == MORTISE_E_UNSUPPORTED);
}

static struct mortise_luks2 *load(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device.path,
						   .luks1 = true };
	struct mortise_luks2 *header = NULL;
	struct mortise_error err;

	if (!mortise_luks2_load(&location, &header, &err))
		return header;
	check(!header && *err.text);
	return NULL;
}

/* What opened before, opens afterwards; what is refused is not changed. */
static void convert(struct mortise_luks2 *header, bool opened)
{
	static uint8_t before[IMAGE];
	struct mortise_luks2 *again;
	struct mortise_error err;

	memcpy(before, device.image, IMAGE);
	if (luks1_to_luks2(header, &err)) {
		check(*err.text && !memcmp(before, device.image, IMAGE));
		return;
	}
	fuzz_accepted(CONVERTED);
	check(!luks2_header_is_luks1(header));
	again = load();
	check(again && luks2_header_equal(header, again));
	check(!opened || opens(again));
	if (luks2_to_luks1(again, &err)) {
		check(*err.text);
	} else {
		fuzz_accepted(REVERTED);
		mortise_luks2_free(&again);
		again = load();
		check(again && luks2_header_is_luks1(again));
		check(!opened || opens(again));
	}
	mortise_luks2_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mortise_luks2 *header;
	bool opened;

	if (!device.image)
		begin();
	memcpy(device.image, device.original, IMAGE);
	input_begin(data, size);
	for (unsigned count = next() % 8; count; count--) {
		const unsigned at = next() << 8 | next();

		device.image[at % LUKS1_SIZE] = (uint8_t)next();
	}
	header = load();
	if (!header)
		return 0;
	fuzz_accepted(LOADED);
	if (luks2_header_is_luks1(header) && cheap(header)) {
		read_all(header);
		opened = opens(header);
		if (opened)
			fuzz_accepted(OPENED);
		convert(header, opened);
	}
	mortise_luks2_free(&header);
	return 0;
}
