/* SPDX-License-Identifier: MIT */
/* Checking a header: its copies, the rules of the format, the policy, and weak choices. */
#include "luks2/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "base/sized.h"
#include "luks2/area.h"
#include "luks2/digest.h"
#include "luks2/format.h"
#include "luks2/policy.h"
#include "luks2/reencrypt_private.h"

/*
 * The second choice of RFC 9106, section 4: 3 passes over 64 MiB. For PBKDF2, OWASP's password storage
 * cheat sheet of 2023.
 */
#define ARGON2_LEAST	 (UINT64_C(3) * 65536) /* passes * KiB */
#define PBKDF2_LEAST	 600000u
#define SHA512_LEAST	 210000u

#define BLOCK		 4096u /* bytes */
/* Of BLOCK random bytes: 255 degrees of freedom, so a mean of 255 and a standard deviation of 23. */
#define CHI_SQUARED_MOST 700u

static bool is_random(const uint8_t block[static BLOCK])
{
	const uint32_t mean = BLOCK / 256;
	uint32_t count[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		count[block[i]]++;
	for (size_t i = 0; i < 256; i++)
		sum += (count[i] - mean) * (count[i] - mean);
	return sum <= CHI_SQUARED_MOST * mean;
}

/* The part of an area that holds the split key is noise without the passphrase. */
static enum mortise_code check_area(struct luks2_findings *findings,
				    const struct luks2_device *device,
				    const struct luks2_keyslot *keyslot, struct mortise_error *err)
{
	const uint64_t used = luks2_area_used(keyslot->key_size);
	const uint64_t size = used < keyslot->area_size ? used : keyslot->area_size;
	uint64_t first = 0, bad = 0;
	uint8_t block[BLOCK], byte = 0;
	struct mortise_error what;

	for (uint64_t at = 0; at + BLOCK <= size; at += BLOCK) {
		enum mortise_code code =
			luks2_device_read(device, block, BLOCK, keyslot->area_offset + at, err);

		if (code)
			return code;
		if (is_random(block))
			continue;
		if (!bad++) {
			first = at;
			byte = block[0];
		}
		if (memcmp(block, block + 1, BLOCK - 1) != 0)
			byte = 1; /* any other than those named below */
	}
	if (!bad)
		return MORTISE_OK;
	error_set_at(&what, MORTISE_E_CORRUPT, 0, keyslot->area_offset + first,
		     "keyslot %d: %" PRIu64 " of %" PRIu64
		     " blocks of its area %s, the first at byte %" PRIu64 "; it does not open",
		     keyslot->id, bad, size / BLOCK,
		     byte == 0	    ? "are zero"
		     : byte == 0xff ? "are 0xff"
				    : "do not hold random bytes",
		     keyslot->area_offset + first);
	luks2_find(findings, MORTISE_FINDING_AREA, true, LUKS2_REMEDY_RESTORE, 0, &what);
	return MORTISE_OK;
}

/* Keyslots with a token are opened by random keys, for which a low cost is enough. */
static bool has_token(const struct mortise_luks2 *header, int keyslot)
{
	struct mortise_token_info info = { .struct_size = sizeof(info) };

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++)
		if (!mortise_token_info(header, id, &info, NULL) &&
		    info.keyslots & UINT32_C(1) << keyslot)
			return true;
	return false;
}

static void check_cost(struct luks2_findings *findings, const struct mortise_luks2 *header,
		       const struct luks2_keyslot *keyslot)
{
	const struct mortise_kdf *kdf = &keyslot->kdf;
	const bool pbkdf2 = kdf->type == MORTISE_KDF_PBKDF2;
	const uint32_t least = strcmp(kdf->hash, "sha512") != 0 ? PBKDF2_LEAST : SHA512_LEAST;
	struct mortise_error what;

	if (has_token(header, keyslot->id))
		return;
	if (pbkdf2 ? kdf->time >= least : (uint64_t)kdf->time * kdf->memory_kib >= ARGON2_LEAST)
		return;
	if (pbkdf2)
		error_set(
			&what, MORTISE_E_POLICY, 0,
			"keyslot %d: PBKDF2 with %u iterations is weak for a passphrase; at least "
			"%u are recommended",
			keyslot->id, kdf->time, least);
	else
		error_set(&what, MORTISE_E_POLICY, 0,
			  "keyslot %d: %s with %u passes over %u KiB is weak for a passphrase; 3 "
			  "passes over 65536 KiB are recommended",
			  keyslot->id, mortise_kdf_name(kdf->type), kdf->time, kdf->memory_kib);
	luks2_find(findings, MORTISE_FINDING_WEAK, false, LUKS2_REMEDY_CHANGE_KEY, keyslot->id,
		   &what);
}

static enum mortise_code check_keyslot(struct luks2_findings *findings,
				       const struct mortise_luks2 *header, int id,
				       struct mortise_error *err)
{
	struct luks2_keyslot keyslot;
	struct mortise_error what;
	char who[24];
	enum mortise_code code = luks2_keyslot_get(header->metadata, id, &keyslot, &what);
	int reencrypt;

	/* The keyslot of a reencryption has no key; check_data() reports its requirement. */
	if (code == MORTISE_E_NO_KEYSLOT ||
	    (luks2_reencrypt_keyslot(header->metadata, &reencrypt) && reencrypt == id))
		return MORTISE_OK;
	if (!code) {
		snprintf(who, sizeof(who), "keyslot %d", id);
		code = luks2_header_check_cipher(header, who, keyslot.cipher, keyslot.area_key_size,
						 &what);
	}
	if (code) {
		luks2_find(findings, MORTISE_FINDING_POLICY, true, LUKS2_REMEDY_KILL_SLOT, id,
			   &what);
		return MORTISE_OK;
	}
	check_cost(findings, header, &keyslot);
	return check_area(findings, header->device, &keyslot, err);
}

static void check_digests(struct luks2_findings *findings, const struct mortise_luks2 *header)
{
	struct json_object *digests = luks2_json_get(header->metadata, "digests", json_type_object);
	struct mortise_error what;

	for (int id = 0; id < (int)MORTISE_DIGESTS_MAX; id++)
		if (luks2_json_get_id(digests, id) && luks2_digest_check(header, id, &what))
			luks2_find(findings, MORTISE_FINDING_POLICY, true, LUKS2_REMEDY_RESTORE, 0,
				   &what);
}

/* The bytes of the volume key, 0 without a keyslot. */
static uint32_t key_size_of(const struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (!mortise_keyslot_info(header, id, &info, NULL) && !info.unbound)
			return info.key_size;
	return 0;
}

static void check_data(struct luks2_findings *findings, const struct mortise_luks2 *header,
		       bool attached)
{
	const uint64_t data = luks2_first_data_offset(header->metadata);
	struct luks2_segment segment;
	struct mortise_error what;

	if (luks2_usable(header->metadata, &what) ||
	    luks2_segment_get(header->metadata, &segment, &what) ||
	    luks2_header_check_segment(header, &segment, key_size_of(header), &what))
		luks2_find(findings, MORTISE_FINDING_POLICY, true, LUKS2_REMEDY_NONE, 0, &what);
	if (attached && data > header->device->size) {
		error_set_at(&what, MORTISE_E_CORRUPT, 0, data,
			     "the data begins at byte %" PRIu64 ", the device ends at %" PRIu64,
			     data, header->device->size);
		luks2_find(findings, MORTISE_FINDING_RULE, true, LUKS2_REMEDY_NONE, 0, &what);
	}
	/* During an encryption, the first segment has no key. */
	if (!mortise_keyslot_others(header, MORTISE_ANY) && !luks2_format_unfinished(header) &&
	    !luks2_online_reencrypt_count(header->metadata)) {
		error_set(&what, MORTISE_E_NO_KEYSLOT, 0, "no keyslot opens the data");
		luks2_find(findings, MORTISE_FINDING_POLICY, true, LUKS2_REMEDY_RESTORE, 0, &what);
	}
}

static enum mortise_code check_backup(struct luks2_findings *findings,
				      const struct mortise_luks2 *header, const char *file,
				      bool locking, struct mortise_error *err)
{
	struct mortise_luks2 *backup = NULL;
	struct luks2_device *device = NULL;
	struct mortise_error what = { .code = MORTISE_OK };
	enum luks2_remedy remedy = LUKS2_REMEDY_BACKUP;
	enum mortise_code code = luks2_device_open(file, locking, &device, err);

	if (code)
		return code;
	if (luks2_header_read(device, LUKS2_MEND_NEVER, &backup, &what)) {
		luks2_device_close(device);
		error_prefix(&what, "the backup %s is not valid", file);
	} else if (strcmp(header->binary.uuid, backup->binary.uuid) != 0) {
		error_set(&what, MORTISE_E_CHANGED, 0,
			  "the backup %s belongs to another volume, UUID %.40s", file,
			  backup->binary.uuid);
	} else if (header->binary.seqid < backup->binary.seqid) {
		remedy = LUKS2_REMEDY_RESTORE;
		error_set(&what, MORTISE_E_CHANGED, 0,
			  "the header is older than its backup %s: sequence number %" PRIu64
			  ", not %" PRIu64,
			  file, header->binary.seqid, backup->binary.seqid);
	} else if (!luks2_header_equal(header, backup)) {
		error_set(&what, MORTISE_E_CHANGED, 0,
			  "the header has changed since its backup %s: sequence number %" PRIu64
			  ", not %" PRIu64,
			  file, header->binary.seqid, backup->binary.seqid);
	}
	if (what.code)
		luks2_find(findings, MORTISE_FINDING_BACKUP, false, remedy, 0, &what);
	mortise_luks2_free(&backup);
	return MORTISE_OK;
}

/* device belongs to *header if this is not NULL afterwards. */
static enum mortise_code check(struct luks2_findings *findings, struct luks2_device *device,
			       const struct mortise_location *where, const char *backup,
			       struct mortise_luks2 **header, struct mortise_error *err)
{
	struct luks2_copy copy[2] = { { .metadata = NULL } };
	enum mortise_code code = luks2_copies_read(device, copy, err);

	if (code)
		return code;
	code = luks2_header_read(device, LUKS2_MEND_NEVER, header, err);
	if (code == MORTISE_OK || code == MORTISE_E_CORRUPT)
		luks2_check_copies(findings, device, copy);
	for (unsigned i = 0; i < 2; i++) {
		if (code == MORTISE_OK || code == MORTISE_E_CORRUPT)
			if (copy[i].metadata && !copy[i].valid)
				luks2_check_rules(findings, copy[i].offset, copy[i].metadata,
						  copy[i].binary.copy_size - LUKS2_BINARY_SIZE);
		json_object_put(copy[i].metadata);
	}
	if (code)
		return code == MORTISE_E_CORRUPT ? MORTISE_OK : code;
	luks2_header_allow_cipher(*header, where->allow_cipher);
	check_data(findings, *header, !where->header);
	check_digests(findings, *header);
	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		code = check_keyslot(findings, *header, id, err);
	luks2_check_leftovers(findings, *header);
	if (!code && backup)
		code = check_backup(findings, *header, backup, !where->no_locks, err);
	return code;
}

enum mortise_code mortise_check(const struct mortise_location *location,
				const struct mortise_check *how, struct mortise_error *err)
{
	struct luks2_findings findings = { .report = NULL };
	struct mortise_luks2 *header = NULL;
	struct luks2_device *device = NULL;
	struct mortise_location where;
	struct mortise_check wanted;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (!code)
		code = sized_input(SIZED(mortise_check), &wanted, how, err);
	if (code)
		return code;
	findings.report = wanted.report;
	findings.context = wanted.context;
	code = luks2_device_open_location(&where, &device, err);
	if (code)
		return code;
	findings.path = device->path;
	code = check(&findings, device, &where, wanted.backup, &header, err);
	if (!header)
		luks2_device_close(device);
	mortise_luks2_free(&header);
	return !code && findings.canceled ? events_cancel_error(err) : code;
}
