/* SPDX-License-Identifier: MIT */
/* The text of luksDump, byte for byte as in cryptsetup 2.6.1, uneven spacing included. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/luks/luks_dump.h"
#include "cli/print.h"

static const char hex_break[] = "\n\t            ";

static const char *or_text(const char *text, const char *none)
{
	return text[0] != '\0' ? text : none;
}

static void dump_config(const struct mortise_luks2 *header)
{
	const char *text;
	unsigned i;

	print("Flags:       \t");
	for (i = 0; (text = mortise_header_flag(header, i)); i++)
		print("%s ", text);
	print("%s\n", i > 0 ? "" : "(no flags)");
	for (i = 0; (text = mortise_header_requirement(header, i)); i++)
		print(i == 0 ? "Requirements:\t%s " : "%s ", text);
	print_lines(stdout, i > 0 ? "\n\n" : "\n");
}

static void dump_segment(const struct mortise_luks2 *header, int id,
			 const struct mortise_segment_info *segment)
{
	const char *flag;

	print("  %d: %s\n", id, segment->type);
	print("\toffset: %" PRIu64 " [bytes]\n", segment->offset);
	if (segment->dynamic)
		print("\tlength: (whole device)\n");
	else
		print("\tlength: %" PRIu64 " [bytes]\n", segment->size);
	if (segment->cipher[0] != '\0')
		print("\tcipher: %s\n", segment->cipher);
	if (segment->sector_size != 0)
		print("\tsector: %" PRIu32 " [bytes]\n", segment->sector_size);
	if (segment->integrity[0] != '\0')
		print("\tintegrity: %s\n", segment->integrity);
	for (unsigned i = 0; (flag = mortise_segment_flag(header, id, i)); i++)
		print(i == 0 ? "\tflags : %s" : ", %s", flag);
	if (mortise_segment_flag(header, id, 0))
		print("\n");
	print("\n");
}

static const char *priority_text(enum mortise_priority priority)
{
	switch (priority) {
	case MORTISE_PRIORITY_IGNORE:
		return "ignored";
	case MORTISE_PRIORITY_NORMAL:
		return "normal";
	case MORTISE_PRIORITY_PREFER:
		return "preferred";
	}
	return "invalid";
}

static void dump_area(const struct mortise_keyslot_info *slot)
{
	print("\tArea offset:%" PRIu64 " [bytes]\n", slot->area_offset);
	print("\tArea length:%" PRIu64 " [bytes]\n", slot->area_size);
}

static void dump_luks2_keyslot(const struct mortise_keyslot_info *slot)
{
	print("\tCipher:     %s\n", slot->cipher);
	print("\tCipher key: %" PRIu32 " bits\n", slot->area_key_size * 8);
	print("\tPBKDF:      %s\n", slot->kdf_type);
	if (strcmp(slot->kdf_type, "pbkdf2") == 0) {
		print("\tHash:       %s\n", slot->kdf.hash);
		print("\tIterations: %" PRIu32 "\n", slot->kdf.time);
	} else {
		print("\tTime cost:  %" PRIu32 "\n", slot->kdf.time);
		print("\tMemory:     %" PRIu32 "\n", slot->kdf.memory_kib);
		print("\tThreads:    %" PRIu32 "\n", slot->kdf.lanes);
	}
	print("\tSalt:       ");
	print_hex(slot->salt.bytes, slot->salt.size, hex_break);
	print("\n");
	print("\tAF stripes: %" PRIu32 "\n", (uint32_t)slot->af_stripes);
	print("\tAF hash:    %s\n", slot->af_hash);
	dump_area(slot);
}

static void dump_reencrypt_keyslot(const struct mortise_keyslot_info *slot)
{
	print("\t%-12s%s\n", "Mode:", slot->reencrypt_mode);
	print("\t%-12s%s\n", "Direction:", slot->reencrypt_direction);
	print("\t%-12s%s\n", "Resilience:", slot->reencrypt_resilience);
	if (strcmp(slot->reencrypt_resilience, "checksum") == 0) {
		print("\t%-12s%s\n", "Hash:", slot->reencrypt_hash);
		print("\t%-12s%" PRIu64 " [bytes]\n", "Hash data:", slot->reencrypt_sector_size);
	} else if (strcmp(slot->reencrypt_resilience, "datashift") == 0) {
		print("\t%-12s%" PRIu64 "[bytes]\n", "Shift size:", slot->reencrypt_shift_size);
	}
	dump_area(slot);
}

static void dump_keyslot(int id, const struct mortise_keyslot_info *slot)
{
	print("  %d: %s%s\n", id, slot->type, slot->unbound ? " (unbound)" : "");
	print("\tKey:        %" PRIu32 " bits\n", slot->key_size * 8);
	print("\tPriority:   %s\n", priority_text(slot->priority));
	if (strcmp(slot->type, "luks2") == 0)
		dump_luks2_keyslot(slot);
	else if (strcmp(slot->type, "reencrypt") == 0)
		dump_reencrypt_keyslot(slot);
	if (slot->digest >= 0)
		print("\tDigest ID:  %d\n", slot->digest);
}

/* cryptsetup prints the keyslots in the order of the token's JSON array. */
static void dump_token_keyslots(const struct mortise_luks2 *header, int id)
{
	struct json_object *token, *keyslots;
	char *text = NULL;

	if (mortise_token_export(header, id, &text, NULL))
		return;
	token = json_tokener_parse(text);
	if (json_object_object_get_ex(token, "keyslots", &keyslots) &&
	    json_object_is_type(keyslots, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(keyslots); i++)
			print("\tKeyslot:    %s\n",
			      json_object_get_string(json_object_array_get_idx(keyslots, i)));
	}
	json_object_put(token);
	free(text);
}

static void dump_tokens(const struct mortise_luks2 *header)
{
	struct mortise_token_info token = { .struct_size = sizeof(token) };

	print("Tokens:\n");
	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++) {
		if (mortise_token_info(header, id, &token, NULL))
			continue;
		print("  %d: %s\n", id, token.type);
		if (strcmp(token.type, "luks2-keyring") == 0)
			print("\tKey description: %s\n", token.key_description);
		dump_token_keyslots(header, id);
	}
}

static void dump_digest(int id, const struct mortise_digest_info *digest)
{
	print("  %d: %s\n", id, digest->type);
	if (strcmp(digest->type, "pbkdf2") != 0)
		return;
	print("\tHash:       %s\n", digest->hash);
	print("\tIterations: %" PRIu64 "\n", digest->iterations);
	print("\tSalt:       ");
	print_hex(digest->salt.bytes, digest->salt.size, hex_break);
	print("\n\tDigest:     ");
	print_hex(digest->digest, digest->digest_size, hex_break);
	print("\n");
}

void dump_text(const struct mortise_luks2 *header)
{
	struct mortise_segment_info segment = { .struct_size = sizeof(segment) };
	struct mortise_keyslot_info keyslot = { .struct_size = sizeof(keyslot) };
	struct mortise_digest_info digest = { .struct_size = sizeof(digest) };
	struct mortise_header_info info = { .struct_size = sizeof(info) };

	(void)mortise_header_info(header, &info, NULL);
	print("LUKS header information\n");
	print("Version:       \t2\n");
	print("Epoch:         \t%" PRIu64 "\n", info.seqid);
	print("Metadata area: \t%" PRIu64 " [bytes]\n", info.metadata_size);
	print("Keyslots area: \t%" PRIu64 " [bytes]\n", info.keyslots_size);
	print("UUID:          \t%s\n", or_text(info.uuid, "(no UUID)"));
	print("Label:         \t%s\n", or_text(info.label, "(no label)"));
	print("Subsystem:     \t%s\n", or_text(info.subsystem, "(no subsystem)"));
	dump_config(header);
	print("Data segments:\n");
	for (int id = 0; id < (int)MORTISE_SEGMENTS_MAX; id++) {
		if (mortise_segment_info(header, id, &segment, NULL) == MORTISE_OK)
			dump_segment(header, id, &segment);
	}
	print("Keyslots:\n");
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (mortise_keyslot_info(header, id, &keyslot, NULL) == MORTISE_OK)
			dump_keyslot(id, &keyslot);
	}
	dump_tokens(header);
	print("Digests:\n");
	for (int id = 0; id < (int)MORTISE_DIGESTS_MAX; id++) {
		if (mortise_digest_info(header, id, &digest, NULL) == MORTISE_OK)
			dump_digest(id, &digest);
	}
}

void dump_seal(const struct mortise_luks2 *header)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };

	if (mortise_seal_check(header, &seal, NULL) || seal.state == MORTISE_SEAL_NONE)
		return;
	print("Seal:\n");
	print("\tVolume:     %s\n", or_text(seal.volume, "(no declared volume)"));
	print("\tEpoch:      %" PRIu64 "\n", seal.epoch);
	print("\tState:      not checked (run mortise seal --check)\n");
}
