/* SPDX-License-Identifier: MIT */
/* The objects of a checked header as C values, and what may be done with them. */
#ifndef LUKS2_MODEL_H
#define LUKS2_MODEL_H

#include "luks2/header.h"

/* What opening a keyslot of type luks2 needs. Texts belong to the metadata. */
struct luks2_keyslot {
	int id;
	uint32_t key_size;	/* bytes of the volume key */
	enum mortise_priority priority;
	struct mortise_kdf kdf;
	uint8_t salt[MORTISE_SALT_MAX];
	size_t salt_size;
	const char *af_hash;
	const char *cipher;	/* of the area */
	uint32_t area_key_size;	/* bytes */
	uint64_t area_offset;
	uint64_t area_size;	/* bytes */
};

/*
 * Decodes keyslot id and applies the policy: MORTISE_E_NO_KEYSLOT when it is not there,
 * MORTISE_E_POLICY when it must not be used (null cipher, area shorter than its key, other
 * than 4000 stripes, KDF or salt out of bounds), MORTISE_E_UNSUPPORTED for an unknown KDF.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_get(struct json_object *metadata, int id,
						       struct luks2_keyslot *keyslot,
						       struct mortise_error *err);

/* Bytes that an area needs for a split key of this size. */
uint64_t luks2_area_room(uint32_t key_size);

/* The digest that lists keyslot id (or segment id): its id, -1 for none. */
int luks2_digest_of_keyslot(struct json_object *metadata, int keyslot);
int luks2_digest_of_segment(struct json_object *metadata, int segment);

/* Is keyslot id in the digest of segment 0 (its default segment)? */
bool luks2_keyslot_opens_data(struct json_object *metadata, int keyslot);

/*
 * May the header be changed or its keyslots opened? MORTISE_E_POLICY for requirements ("Unmet
 * LUKS2 requirements detected."), for data that is not encrypted and for odd sector sizes.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_usable(struct json_object *metadata,
						  struct mortise_error *err);

/* The one data segment when it is of a kind that we map; MORTISE_E_POLICY names the reason. */
struct luks2_segment {
	uint64_t offset;	/* bytes */
	uint64_t size;		/* bytes, 0: dynamic */
	uint64_t iv_tweak;	/* 512-byte sectors */
	const char *cipher;
	uint32_t sector_size;	/* bytes */
	int digest;
};

MORTISE_MUST_CHECK enum mortise_code luks2_segment_get(struct json_object *metadata,
						       struct luks2_segment *segment,
						       struct mortise_error *err);

/* Is it a cipher that encrypts nothing? */
bool luks2_cipher_is_null(const char *cipher);

/*
 * Does a volume key of this size fit the cipher ("aes-xts-plain64": 32 or 64 bytes)?
 * Unknown ciphers fit: the kernel will say.
 */
bool luks2_cipher_fits(const char *cipher, uint32_t key_size);

#endif
