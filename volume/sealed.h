/* SPDX-License-Identifier: MIT */
/*
 * Passphrases that a KMS or TPM seals, and the tokens that hold what they gave, as Talos Linux
 * stores them: the token of keyslot N has id N and lists no keyslots.
 */
#ifndef VOLUME_SEALED_H
#define VOLUME_SEALED_H

#include "keys/sources/kms/kms.h"
#include "keys/sources/tpm/tpm.h"
#include "luks2/header.h"

#define VOLUME_TOKEN_KMS      "sideroKMS"
#define VOLUME_TOKEN_TPM      "talos-tpm2"
#define VOLUME_TOKEN_RECOVERY "systemd-recovery"
#define VOLUME_NOTICE_MAX     400u
#define VOLUME_NODE_UUID_ROOM 128u /* an override need not be a UUID */

/* A passphrase, and what has to stand in the header for it to be had again. */
struct volume_key {
	struct mortise_secret *passphrase;
	struct json_object *token;	/* NULL: its kind has none */
	struct json_object *pcr_values;	/* tpm: for the record; NULL: none */
	char notice[VOLUME_NOTICE_MAX];	/* on what it is bound to; "" for none */
};

/* Of keyslots for such passphrases: 256 random bits are as hard to guess at any cost. */
extern const struct mortise_kdf volume_least_cost;

/* Members are freed, the structure is empty afterwards. */
void volume_key_clear(struct volume_key *key);

/*
 * Reading tokens. token may be NULL or anything: MORTISE_E_NO_TOKEN when it is not one of this
 * type and shape.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_token_kms_read(struct json_object *token, uint8_t sealed[static KEYS_KMS_SEALED_MAX],
		      size_t *size, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code volume_token_tpm_read(struct json_object *token,
							   struct keys_tpm_object *object,
							   struct mortise_error *err);

/* New tokens; NULL: out of memory. */
struct json_object *volume_token_kms_new(const uint8_t *sealed, size_t size);
struct json_object *volume_token_tpm_new(const struct keys_tpm_object *object, int keyslot);

/* Token N of the metadata, NULL when there is none. */
struct json_object *volume_token_get(struct json_object *metadata, int id);
/* Is it of one of the types that this file's kinds own? token may be NULL. */
bool volume_token_is_sealed(struct json_object *token);
/*
 * Puts token (taken over) under id: over a sealed one; any other that stands there moves to a
 * free id. False: out of memory or ids.
 */
MORTISE_MUST_CHECK bool volume_token_put(struct json_object *metadata, int id,
					 struct json_object *token);
/* Removes a sealed token of this id; any other stays. */
void volume_token_drop(struct json_object *metadata, int id);
/* The highest id that is free and not in taken (bit n: id n), -1 when there is none. */
int volume_token_free_id(struct json_object *metadata, uint32_t taken);
/* Bit n: a recovery token marks keyslot n. */
uint32_t volume_token_recovery_keyslots(const struct mortise_luks2 *header);

/*
 * Parses a signature file's text ({"sha256":[{"pcrs":[11],"pkfp":...,"pol":...,"sig":...}]})
 * into policy, whose public key stays; entries for other PCRs are left out. MORTISE_E_SOURCE.
 */
MORTISE_MUST_CHECK enum mortise_code volume_signatures_parse(const char *text, size_t size,
							     struct keys_tpm_signed_policy *policy,
							     struct mortise_error *err);

/*
 * The signed policy of this machine, from directory (NULL: /.extra, then /run/systemd). *out is
 * NULL when key or signatures are not there; free(3) it.
 */
MORTISE_MUST_CHECK enum mortise_code volume_signed_policy(const char *directory,
							  struct keys_tpm_signed_policy **out,
							  struct mortise_error *err);

/*
 * Whether a passphrase can be sealed, as far as can be told without asking the KMS or TPM: the
 * machine's UUID, Secure Boot, extended PCRs.
 */
MORTISE_MUST_CHECK enum mortise_code volume_kms_check(const struct mortise_key_sources *sources,
						      const char *endpoint,
						      struct mortise_error *err);
struct tpm_seal_options;
MORTISE_MUST_CHECK enum mortise_code volume_tpm_check(const struct tpm_seal_options *wish,
						      struct mortise_error *err);

/* A new random passphrase, sealed. Errors are those of keys/kinds/, and of efivarfs. */
MORTISE_MUST_CHECK enum mortise_code volume_kms_new(const struct mortise_key_sources *sources,
						    const char *endpoint, struct volume_key *key,
						    struct mortise_error *err);

struct tpm_seal_options {
	int keyslot;
	uint32_t pcrs; /* bit n: PCR n */
	bool check_secureboot;
};

MORTISE_MUST_CHECK enum mortise_code volume_tpm_new(const struct mortise_key_sources *sources,
						    const struct tpm_seal_options *wish,
						    struct volume_key *key,
						    struct mortise_error *err);

/*
 * The passphrase of keyslot id by its token. MORTISE_E_NO_TOKEN as above; else the errors of
 * keys/kinds/.
 */
MORTISE_MUST_CHECK enum mortise_code volume_kms_get(const struct mortise_key_sources *sources,
						    const char *endpoint,
						    struct json_object *metadata, int id,
						    struct mortise_secret **passphrase,
						    struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code volume_tpm_get(const struct mortise_key_sources *sources,
						    struct json_object *metadata, int id,
						    struct mortise_secret **passphrase,
						    struct mortise_error *err);

/* The machine's UUID, or the one that sources give. */
MORTISE_MUST_CHECK enum mortise_code volume_node_uuid(const struct mortise_key_sources *sources,
						      char uuid[static VOLUME_NODE_UUID_ROOM],
						      struct mortise_error *err);

#endif
