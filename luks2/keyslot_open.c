/* SPDX-License-Identifier: MIT */
/* Opening a keyslot: passphrase, area key, split key, volume key, digest. */
#include <stdio.h>
#include <string.h>

#include "keys/af.h"
#include "base/error.h"
#include "base/events.h"
#include "base/sized.h"
#include "luks2/area.h"
#include "luks2/derive.h"
#include "luks2/digest.h"
#include "luks2/integrity.h"
#include "luks2/luks1.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/private.h"
#include "luks2/reencrypt.h"

/* MORTISE_E_KEY: the passphrase does not open this keyslot. */
static enum mortise_code open_keyslot(const struct mortise_luks2 *header, int id,
				      const struct mortise_secret *passphrase,
				      struct mortise_secret **out, struct mortise_error *err)
{
	struct mortise_secret *area_key = NULL, *split = NULL, *key = NULL;
	struct luks2_keyslot keyslot;
	struct luks2_derivation how;
	struct luks2_area area;
	enum mortise_code code;
	char who[32];

	code = luks2_keyslot_get(header->metadata, id, &keyslot, err);
	if (code)
		return code;
	snprintf(who, sizeof(who), "keyslot %d", id);
	code = luks2_header_check_cipher(header, who, keyslot.cipher, keyslot.area_key_size, err);
	if (code)
		return code;
	how = (struct luks2_derivation){
		who, &keyslot.kdf, { keyslot.salt, keyslot.salt_size }, true
	};
	code = mortise_secret_new(keyslot.area_key_size, &area_key, err);
	if (code)
		goto out;
	code = luks2_derive(header, &how, passphrase, area_key, err);
	if (code)
		goto out;
	area = (struct luks2_area){
		.cipher = keyslot.cipher,
		.key = mortise_secret_data(area_key),
		.key_size = keyslot.area_key_size,
		.offset = keyslot.area_offset,
		.size = luks2_area_used(keyslot.key_size),
	};
	code = mortise_secret_new(area.size, &split, err);
	if (code)
		goto out;
	code = luks2_area_read(header, &area, mortise_secret_writable(split), err);
	if (code)
		goto out;
	code = mortise_secret_new(keyslot.key_size, &key, err);
	if (code)
		goto out;
	code = keys_af_merge(mortise_secret_data(split), keyslot.key_size, KEYS_AF_STRIPES,
			     keyslot.af_hash, mortise_secret_writable(key), err);
	if (code)
		goto out;
	code = luks2_digest_verify(header, luks2_digest_of_keyslot(header->metadata, id), key, err);
	if (code == MORTISE_E_KEY)
		error_set(err, code, 0, "No key available with this passphrase.");
	if (code)
		goto out;
	*out = key;
	key = NULL;
out:
	mortise_secret_free(&key);
	mortise_secret_free(&split);
	mortise_secret_free(&area_key);
	return code;
}

/* The keyslots to try: those of a digest, or ANY_DIGEST. */
#define ANY_DIGEST MORTISE_ANY

static bool may_open(const struct mortise_luks2 *header, int id, int digest)
{
	const int own = luks2_digest_of_keyslot(header->metadata, id);

	return own >= 0 && (digest == ANY_DIGEST || own == digest);
}

struct attempt {
	const struct mortise_luks2 *header;
	const struct mortise_secret *passphrase;
	struct mortise_secret *key;
	int digest;
	bool all; /* also keyslots of priority "ignore" */
	unsigned tried;
	unsigned wrong; /* of these: the passphrase does not open the keyslot */
	int opened;
	struct mortise_error obstacle;	       /* an error other than a wrong passphrase */
	char skipped[MORTISE_ERROR_TEXT - 48]; /* the texts of all these errors */
};

/* True if the keyslot cannot be opened, whatever the passphrase and the state of the machine. */
static bool is_permanent(enum mortise_code code)
{
	return code == MORTISE_E_POLICY || code == MORTISE_E_UNSUPPORTED;
}

static void note_obstacle(struct attempt *attempt, int id, struct mortise_error *why)
{
	const size_t used = strlen(attempt->skipped);

	if (strncmp(why->text, "keyslot", 7) != 0 && strncmp(why->text, "digest", 6) != 0)
		error_prefix(why, "keyslot %d", id);
	/* Several keyslots may have the same digest. */
	if (!strstr(attempt->skipped, why->text))
		snprintf(attempt->skipped + used, sizeof(attempt->skipped) - used, "%s%s",
			 used ? "; " : "", why->text);
	if (!attempt->obstacle.code || why->code == MORTISE_E_CANCELED ||
	    (is_permanent(attempt->obstacle.code) && !is_permanent(why->code)))
		attempt->obstacle = *why;
}

/* Tries the keyslots of one priority, in JSON order as cryptsetup does. */
static void try_priority(struct attempt *attempt, enum mortise_priority priority)
{
	struct json_object *keyslots =
		luks2_json_get(attempt->header->metadata, "keyslots", json_type_object);
	struct mortise_error why;

	json_object_object_foreach(keyslots, text, object) {
		uint64_t keyslot_priority = MORTISE_PRIORITY_NORMAL;
		int id = -1;

		/* A key such as "00" is the id of no keyslot. */
		if (sscanf(text, "%d", &id) != 1 || luks2_json_get_id(keyslots, id) != object)
			continue;
		(void)luks2_json_integer(object, "priority", MORTISE_PRIORITY_PREFER,
					 &keyslot_priority);
		if (keyslot_priority != priority || !may_open(attempt->header, id, attempt->digest))
			continue;
		attempt->tried++;
		if (!open_keyslot(attempt->header, id, attempt->passphrase, &attempt->key, &why)) {
			attempt->opened = id;
			return;
		}
		if (why.code == MORTISE_E_KEY)
			attempt->wrong++;
		else
			note_obstacle(attempt, id, &why);
		if (why.code == MORTISE_E_CANCELED)
			return;
	}
}

static enum mortise_code open_any(struct attempt *attempt, struct mortise_error *err)
{
	try_priority(attempt, MORTISE_PRIORITY_PREFER);
	if (attempt->opened < 0 && attempt->obstacle.code != MORTISE_E_CANCELED)
		try_priority(attempt, MORTISE_PRIORITY_NORMAL);
	if (attempt->opened < 0 && attempt->all && attempt->obstacle.code != MORTISE_E_CANCELED)
		try_priority(attempt, MORTISE_PRIORITY_IGNORE);
	if (attempt->opened >= 0)
		return MORTISE_OK;
	if (!attempt->tried)
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "No usable keyslot is available.");
	/* A keyslot that was skipped does not hide that the passphrase opened none of the others. */
	if (attempt->obstacle.code == MORTISE_E_CANCELED)
		return events_cancel_error(err);
	if (attempt->obstacle.code && (!attempt->wrong || !is_permanent(attempt->obstacle.code)))
		return error_set_at(err, attempt->obstacle.code, 0, attempt->obstacle.offset, "%s",
				    attempt->skipped);
	if (attempt->obstacle.code)
		return error_set(err, MORTISE_E_KEY, 0,
				 "No key available with this passphrase. (%s)", attempt->skipped);
	return error_set(err, MORTISE_E_KEY, 0, "No key available with this passphrase.");
}

/* Before a key is derived for data that could not be mapped. */
static enum mortise_code check_data_cipher(const struct mortise_luks2 *header,
					   struct mortise_error *err)
{
	struct json_object *segments =
		luks2_json_get(header->metadata, "segments", json_type_object);
	struct json_object *segment = luks2_json_get_id(segments, 0);
	const char *cipher = luks2_json_text(segment, "encryption");
	struct luks2_integrity integrity;
	enum mortise_code code;

	if (!cipher)
		return MORTISE_OK;
	code = luks2_integrity_get(luks2_json_get(segment, "integrity", json_type_object), cipher,
				   &integrity, err);
	if (code)
		return code;
	return luks2_integrity_check("segment 0", cipher, 0, &integrity, header->allowed_cipher,
				     err);
}

/* A keyslot that was moved or removed after the header was read opens with no passphrase. */
static bool keyslots_changed(const struct mortise_luks2 *header)
{
	struct mortise_luks2 *now = NULL;
	enum mortise_code code;
	bool same;

	code = header->luks1 ? luks1_header_read(header->device, &now, NULL)
			     : luks2_header_read(header->device, LUKS2_MEND_NEVER, &now, NULL);
	if (code)
		return code == MORTISE_E_NOT_LUKS2 || code == MORTISE_E_CORRUPT;
	same = json_object_equal(luks2_json_get(header->metadata, "keyslots", json_type_object),
				 luks2_json_get(now->metadata, "keyslots", json_type_object));
	now->device = NULL;
	mortise_luks2_free(&now);
	return !same;
}

static enum mortise_code open_wanted(struct attempt *attempt, int keyslot,
				     struct mortise_error *err)
{
	enum mortise_code code;

	if (keyslot != MORTISE_ANY && !may_open(attempt->header, keyslot, attempt->digest))
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "No usable keyslot is available.");
	attempt->opened = keyslot;
	code = keyslot == MORTISE_ANY ? open_any(attempt, err)
				      : open_keyslot(attempt->header, keyslot, attempt->passphrase,
						     &attempt->key, err);
	if (code == MORTISE_E_KEY && keyslots_changed(attempt->header))
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "another process has changed the header of %s; run again",
				 attempt->header->device->path);
	return code;
}

enum mortise_code luks2_keyslot_open_digest(const struct mortise_luks2 *header, int digest,
					    int keyslot, const struct mortise_secret *passphrase,
					    struct mortise_secret **key, int *opened,
					    struct mortise_error *err)
{
	struct attempt attempt = {
		.header = header,
		.passphrase = passphrase,
		.digest = digest,
		.all = true,
		.opened = -1,
	};
	enum mortise_code code = open_wanted(&attempt, keyslot, err);

	*key = attempt.key;
	if (opened)
		*opened = attempt.opened;
	return code;
}

enum mortise_code mortise_keyslot_open(struct mortise_luks2 *header,
				       const struct mortise_key_search *search,
				       const struct mortise_secret *passphrase,
				       struct mortise_secret **volume_key, int *opened,
				       struct mortise_error *err)
{
	struct attempt attempt = { .header = header, .passphrase = passphrase, .opened = -1 };
	struct mortise_key_search wanted;
	enum mortise_code code;

	code = sized_input(SIZED(mortise_key_search), &wanted, search, err);
	if (code)
		return code;
	code = luks2_usable(header->metadata, err);
	if (!code)
		code = check_data_cipher(header, err);
	if (code)
		return code;
	attempt.digest = wanted.unbound ? ANY_DIGEST : luks2_digest_of_segment(header->metadata, 0);
	code = attempt.digest == -1 && !wanted.unbound
		       ? error_set(err, MORTISE_E_NO_KEYSLOT, 0, "No usable keyslot is available.")
		       : open_wanted(&attempt, wanted.keyslot, err);
	if (code)
		goto out;
	if (luks2_keyslot_opens_data(header->metadata, attempt.opened)) {
		code = luks2_header_set_volume_key(header, attempt.key, err);
		if (code)
			goto out;
	}
	if (volume_key) {
		*volume_key = attempt.key;
		attempt.key = NULL;
	}
	if (opened)
		*opened = attempt.opened;
out:
	mortise_secret_free(&attempt.key);
	return code;
}

/*
 * True if a keyslot of the data holds a key of this size, or no keyslot states a size. HMAC pads a
 * short key with zero bytes: the digest alone would accept the key with zeros appended.
 */
static bool is_volume_key_size(const struct mortise_luks2 *header, size_t size)
{
	struct json_object *keyslots =
		luks2_json_get(header->metadata, "keyslots", json_type_object);
	bool any = false;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		struct json_object *keyslot = luks2_json_get_id(keyslots, id);
		uint64_t key_size;

		if (!keyslot || !luks2_keyslot_opens_data(header->metadata, id) ||
		    !luks2_json_integer(keyslot, "key_size", UINT32_MAX, &key_size))
			continue;
		any = true;
		if (key_size == size)
			return true;
	}
	return !any;
}

enum mortise_code mortise_volume_key_verify(struct mortise_luks2 *header,
					    const struct mortise_secret *volume_key,
					    struct mortise_error *err)
{
	enum mortise_code code;

	/* The digest of a given key costs an eighth of a second: compute it only once. */
	if (header->volume_key && mortise_secret_equal(header->volume_key, volume_key))
		return MORTISE_OK;
	if (!is_volume_key_size(header, mortise_secret_size(volume_key)))
		return error_set(err, MORTISE_E_KEY, 0, "Volume key does not match the volume.");
	code = luks2_digest_verify(header, luks2_digest_of_segment(header->metadata, 0), volume_key,
				   err);
	if (code)
		return code;
	return luks2_header_set_volume_key(header, volume_key, err);
}
