/* SPDX-License-Identifier: MIT */
/*
 * The metadata of a reencryption (format 1.1, section 5): a keyslot of type reencrypt, a requirement,
 * backup segments for the forms of the data before and after, and a digest over these. The regular
 * segments tell how far it is.
 */
#ifndef LUKS2_REENCRYPT_H
#define LUKS2_REENCRYPT_H

#include "luks2/header.h"

#define LUKS2_BLOCK_MAX (512u << 10) /* bytes of a checksum's block */

/* What protects the zone that is being written against a power cut. */
enum luks2_guard {
	LUKS2_GUARD_NONE,
	LUKS2_GUARD_CHECKSUM,	/* a checksum of each old block, in the area of the keyslot */
	LUKS2_GUARD_JOURNAL,	/* a copy of the old data there */
	LUKS2_GUARD_SHIFT,	/* the old data: the new data is written to another place */
};

/* The data before or after. */
struct luks2_form {
	uint64_t offset;	/* bytes on the data device */
	uint64_t iv_tweak;	/* 512-byte sectors */
	const char *cipher;	/* NULL: not encrypted */
	uint32_t sector_size;	/* bytes; 512 if not encrypted */
	int digest;		/* of its key, -1 if not encrypted */
};

/* A part of the data. */
struct luks2_zone {
	uint64_t offset;	/* bytes from the start of the data */
	uint64_t length;	/* bytes */
};

struct luks2_reencryption {
	int keyslot;
	enum mortise_reencrypt_mode mode;
	bool backward;		/* from the end of the data to its start */
	const char *resilience;	/* the name of both guards in the header */
	enum luks2_guard guard;
	enum luks2_guard moved_guard; /* of the zone that was moved ahead */
	const char *hash;	/* of the checksums; NULL: none */
	uint32_t block_size;	/* bytes of one checksum's block, else of the larger sector */
	uint64_t area_offset;	/* bytes on the header's device */
	uint64_t area_size;	/* bytes */
	struct luks2_form before, after;
	uint64_t shift;		/* bytes by which the data moves, 0: it stays */
	uint64_t moved_size;	/* bytes at the start of the data that were moved ahead: before, */
	uint64_t moved_offset;	/* they begin at this byte of the data device; size 0: none */
	uint64_t old_size;	/* bytes of the data as the header gave them before, 0: dynamic */
	uint64_t fixed_size;	/* bytes of the data, 0: to the end of the device */
	uint64_t border;	/* bytes: the new form begins or ends here */
	bool whole;		/* nothing is done yet; backward, border is meaningless */
	bool finished;		/* all is done: only luks2_reencryption_end() is missing */
	bool interrupted;	/* zone is being written: it has to be recovered */
	struct luks2_zone zone;
};

/* "encrypt"; the name in the header. */
const char *luks2_reencrypt_mode_name(enum mortise_reencrypt_mode mode);

/* Sets resilience, guard and moved_guard from a name in the header. False: unknown. */
bool luks2_resilience_parse(const char *name, struct luks2_reencryption *state);

/* The byte on the data device of a position in the data, before and after. */
uint64_t luks2_place_before(const struct luks2_reencryption *state, uint64_t position);
uint64_t luks2_place_after(const struct luks2_reencryption *state, uint64_t position);

/* What protects a zone. */
enum luks2_guard luks2_guard_of(const struct luks2_reencryption *state,
				const struct luks2_zone *zone);

/* Bytes that are done, of size bytes of data; an interrupted zone is not. */
uint64_t luks2_reencryption_done(const struct luks2_reencryption *state, uint64_t size);

/* The next zone: up to largest bytes, or those moved ahead. False: everything is done. */
bool luks2_reencryption_next(const struct luks2_reencryption *state, uint64_t size,
			     uint64_t largest, struct luks2_zone *zone);

/*
 * Reads it. Strings belong to metadata. MORTISE_E_USAGE: "Device is not in reencryption."
 * MORTISE_E_UNSUPPORTED: a kind that this build cannot continue. MORTISE_E_CORRUPT.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_reencryption_get(struct json_object *metadata,
							    struct luks2_reencryption *state,
							    struct mortise_error *err);

/*
 * Reads a reencryption without a digest over its metadata, or with version 1 of the requirement, which
 * an old program began. Anyone who can write to the device can forge it. MORTISE_E_USAGE: it is
 * protected.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_get_unprotected(struct json_object *metadata, struct luks2_reencryption *state,
				   struct mortise_error *err);

/*
 * Replaces, in an update, requirement, protection in the keyslot and digest by those of state, which
 * must not be part of the update's metadata.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_protect(struct luks2_update *update, const struct luks2_reencryption *state,
			   const struct mortise_secret *old_key,
			   const struct mortise_secret *new_key, struct mortise_error *err);

/*
 * Adds keyslot, requirement, segments and digest to an update. state has all but keyslot, area and
 * progress. A key is NULL if the data is not encrypted then, and new_key if it stays the same. The
 * keyslot's area takes the largest gap of the keyslots area, or 4096 bytes if it protects nothing.
 * MORTISE_E_NO_SPACE: no keyslot or no gap is free.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_begin(struct luks2_update *update, const struct luks2_reencryption *state,
			 const struct mortise_secret *old_key,
			 const struct mortise_secret *new_key, struct mortise_error *err);

/*
 * Checks the digest over the metadata of the reencryption, which binds it to both keys
 * (CVE-2021-4122). MORTISE_E_POLICY: "Reencryption metadata is invalid."
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_verify(const struct mortise_luks2 *header,
			  const struct luks2_reencryption *state,
			  const struct mortise_secret *old_key,
			  const struct mortise_secret *new_key, struct mortise_error *err);

/*
 * Sets the regular segments. busy: zone is being written; else it is done. size: bytes of all data.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_set(struct luks2_update *update, const struct luks2_reencryption *state,
		       const struct luks2_zone *zone, bool busy, uint64_t size,
		       struct mortise_error *err);

/*
 * Transfer size bytes in the area of the keyslot, the protection of a zone. offset: bytes from its
 * start. The write does not flush; after one write, which may have size 0, several threads may write at
 * a time. MORTISE_E_NO_SPACE: the area is smaller.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_read_area(const struct mortise_luks2 *header,
			     const struct luks2_reencryption *state, uint64_t offset, void *bytes,
			     size_t size, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_write_area(const struct mortise_luks2 *header,
			      const struct luks2_reencryption *state, uint64_t offset,
			      const void *bytes, size_t size, struct mortise_error *err);

/*
 * Removes all metadata of the reencryption, and the keyslots of the old key. The commit wipes their
 * areas.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencryption_end(struct luks2_update *update, const struct luks2_reencryption *state,
		       struct mortise_error *err);

/*
 * Opens the key of a digest with the passphrase of one of its keyslots. keyslot: an id, or
 * MORTISE_ANY: all of them, whatever their priority. *opened (may be NULL) receives the id. Errors: as mortise_keyslot_open().
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_keyslot_open_digest(const struct mortise_luks2 *header, int digest, int keyslot,
			  const struct mortise_secret *passphrase, struct mortise_secret **key,
			  int *opened, struct mortise_error *err);

#endif
