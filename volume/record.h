/* SPDX-License-Identifier: MIT */
/*
 * The record in config.mortise: whether a file system is still to be created, and a fingerprint of
 * each declared key as of its last synchronization. The seal covers it: use it only if the seal is
 * valid. Other programs preserve it.
 */
#ifndef VOLUME_RECORD_H
#define VOLUME_RECORD_H

#include "keys/sources/tpm/tpm.h"
#include "luks2/header.h"

/* The file system that is still to be created ("xfs"); NULL: none. */
const char *volume_record_mkfs(struct json_object *metadata);

/* Sets it. False, here and below: out of memory. */
MORTISE_MUST_CHECK bool volume_record_set_mkfs(struct json_object *metadata,
					       const char *filesystem);

/* Removes the mark, once the file system exists. */
void volume_record_mkfs_done(struct json_object *metadata);

/*
 * The serials of rotateVolumeKey, or NULL: that of the last rotation, which its first commit records;
 * and that of the next one, which is ordered while the volume is open.
 */
const char *volume_record_rotation(struct json_object *metadata);
const char *volume_record_rotation_ordered(struct json_object *metadata);
MORTISE_MUST_CHECK bool volume_record_order_rotation(struct json_object *metadata,
						     const char *serial);
/* Is the data encrypted while the volume is in use, in a reencryption that has begun or is ordered? */
bool volume_record_online(struct json_object *metadata);
MORTISE_MUST_CHECK bool volume_record_set_online(struct json_object *metadata, bool online);
/* The same for a rotation that begins. It drops the order. serial NULL: nothing is known. */
MORTISE_MUST_CHECK bool volume_record_set_rotation(struct json_object *metadata,
						   const char *serial);

/* Removes the token in which version 0.1 kept its record, without a seal. */
void volume_record_drop_old(struct json_object *metadata);

/*
 * The policy of the TPM's memory that remembers the epoch of this header. False: no TPM remembers
 * it.
 */
bool volume_record_tpm(struct json_object *metadata, uint8_t policy[static KEYS_TPM_DIGEST_SIZE]);
MORTISE_MUST_CHECK bool volume_record_set_tpm(struct json_object *metadata,
					      const uint8_t policy[static KEYS_TPM_DIGEST_SIZE]);

/* Sets the epoch, which the next commit increases, if it is lower than floor. */
MORTISE_MUST_CHECK bool volume_record_raise_epoch(struct json_object *metadata, uint64_t floor);

#define VOLUME_FINGERPRINT_SIZE 16u

/* The input of a fingerprint. */
struct volume_origin {
	int keyslot;
	/* bytes is the definition of the key, not its passphrase, which would cost a KMS call. */
	bool is_definition;
	const struct mortise_secret *bytes;
};

/*
 * The fingerprint of a keyslot, a MAC under the volume key over its number, salt and origin. It shows,
 * without deriving a key, that a keyslot still matches its declaration.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_fingerprint(struct json_object *metadata, const struct volume_origin *origin,
		   const struct mortise_secret *volume_key,
		   uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE], struct mortise_error *err);

bool volume_record_matches(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

/* Does the JSON area have room for count more fingerprints? A header of cryptsetup may be full. */
bool volume_record_has_room(struct json_object *metadata, size_t count);

/* Stores the fingerprint of a keyslot. */
MORTISE_MUST_CHECK bool
volume_record_set_key(struct json_object *metadata, int keyslot,
		      const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

/*
 * The PCR values that an object was sealed to, so that an error can name the PCR that differs: the
 * object's values as JSON (NULL: out of memory), stored for a keyslot, and read back.
 */
struct json_object *volume_record_pcr_values_new(const struct keys_tpm_object *object);
MORTISE_MUST_CHECK bool volume_record_set_pcr_values(struct json_object *metadata, int keyslot,
						     struct json_object *values);
void volume_record_pcr_values(struct json_object *metadata, int keyslot,
			      struct keys_tpm_object *object);

/* Removes the fingerprint and PCR values of a keyslot. */
void volume_record_forget_key(struct json_object *metadata, int keyslot);

#endif
