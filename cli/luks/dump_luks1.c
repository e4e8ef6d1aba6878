/* SPDX-License-Identifier: MIT */
/* luksDump of a LUKS1 header, byte for byte as in cryptsetup 2.6.1. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/luks/luks_dump.h"
#include "cli/print.h"

#define KEYSLOTS 8
#define SECTOR	 512u /* bytes */

/* LUKS1 salts have 32 bytes. */
static void dump_salt(const struct mortise_salt *salt, const char *line_break)
{
	print_hex(salt->bytes, 16, "");
	print_lines(stdout, line_break);
	print_hex(salt->bytes + 16, 16, "");
	print("\n");
}

static void dump_keyslot(const struct mortise_luks2 *header, int id)
{
	struct mortise_keyslot_info slot = { .struct_size = sizeof(slot) };

	if (mortise_keyslot_info(header, id, &slot, NULL)) {
		print("Key Slot %d: DISABLED\n", id);
		return;
	}
	print("Key Slot %d: ENABLED\n", id);
	print("\tIterations:         \t%" PRIu32 "\n", slot.kdf.time);
	print("\tSalt:               \t");
	dump_salt(&slot.salt, "\n\t                      \t");
	print("\tKey material offset:\t%" PRIu64 "\n", slot.area_offset / SECTOR);
	print("\tAF stripes:            \t%" PRIu32 "\n", (uint32_t)slot.af_stripes);
}

void dump_luks1(const struct mortise_luks2 *header, const char *path)
{
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_digest_info digest = { .struct_size = sizeof(digest) };
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	const char *mode;

	if (mortise_header_info(header, &info, NULL) ||
	    mortise_segment_info(header, 0, &segment, NULL) ||
	    mortise_digest_info(header, 0, &digest, NULL))
		return;
	mode = strchr(segment.cipher, '-');
	print("LUKS header information for %s\n\n", path);
	print("Version:       \t1\n");
	print("Cipher name:   \t%.*s\n", (int)strcspn(segment.cipher, "-"), segment.cipher);
	print("Cipher mode:   \t%s\n", mode ? mode + 1 : "");
	print("Hash spec:     \t%s\n", digest.hash);
	print("Payload offset:\t%" PRIu64 "\n", segment.offset / SECTOR);
	print("MK bits:       \t%" PRIu32 "\n", info.key_size * 8);
	print("MK digest:     \t");
	print_hex(digest.digest, digest.digest_size, "");
	print("\nMK salt:       \t");
	dump_salt(&digest.salt, "\n               \t");
	print("MK iterations: \t%" PRIu64 "\n", digest.iterations);
	print("UUID:          \t%s\n\n", info.uuid);
	for (int id = 0; id < KEYSLOTS; id++)
		dump_keyslot(header, id);
}
