/* SPDX-License-Identifier: MIT */
/* The objects of a header as C values. Strings belong to the metadata that they come from. */
#ifndef LUKS2_MODEL_H
#define LUKS2_MODEL_H

#include <mortise.h>

#define LUKS2_KEY_SIZE_MAX 512u	/* bytes of a volume key or area key */

/* A keyslot of type luks2. */
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
	uint64_t area_offset;	/* bytes */
	uint64_t area_size;	/* bytes */
};

/* Authenticated encryption of a segment. type NULL: none. */
struct luks2_integrity {
	const char *type;	/* as in the header: "hmac(sha256)" */
	uint32_t key_size;	/* bytes at the end of the volume key that the MAC takes */
	uint32_t tag_size;	/* bytes stored for each sector: the MAC and a random IV */
	bool own_key_size;	/* key_size is not the default of the type */
	bool inline_tags;	/* in the sectors of the device; no dm-integrity */
};

/* The data segment. */
struct luks2_segment {
	uint64_t offset;	/* bytes */
	uint64_t size;		/* bytes, 0: dynamic */
	uint64_t iv_tweak;	/* 512-byte sectors */
	const char *cipher;
	uint32_t sector_size;	/* bytes */
	int digest;
	struct luks2_integrity integrity;
};

#endif
