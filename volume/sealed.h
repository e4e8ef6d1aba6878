/* SPDX-License-Identifier: MIT */
/*
 * Passphrases sealed by a KMS or TPM, and the tokens with the sealed data, as Talos Linux stores
 * them: the token of keyslot N has id N and lists no keyslots.
 */
#ifndef VOLUME_SEALED_H
#define VOLUME_SEALED_H

#include "keys/sources/kms/kms.h"
#include "keys/sources/tpm/tpm.h"
#include "luks2/header.h"

#define VOLUME_TOKEN_KMS      "sideroKMS"
#define VOLUME_TOKEN_TPM      "talos-tpm2"
#define VOLUME_TOKEN_SYSTEMD  "systemd-tpm2"
#define VOLUME_TOKEN_RECOVERY "systemd-recovery"
#define VOLUME_NOTICE_MAX     400u
#define VOLUME_NODE_UUID_ROOM 128u /* an override need not be a UUID */

/* A passphrase, and the data in the header that is needed to unseal it again. */
struct volume_key {
	struct mortise_secret *passphrase;
	struct json_object *token;	/* NULL: this kind of key has none */
	struct json_object *pcr_values;	/* tpm: for volume_record_set_pcr_values(); NULL: none */
	char notice[VOLUME_NOTICE_MAX];	/* says what the key is not bound to; "": nothing to report */
};

/* The KDF cost for sealed passphrases: 256 random bits need no stretching. */
extern const struct mortise_kdf volume_least_cost;

/* Frees the members and clears the structure. */
void volume_key_clear(struct volume_key *key);

/*
 * Parse a token, which may be NULL or of any shape. MORTISE_E_NO_TOKEN: it is not a valid token of
 * this type.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_token_kms_read(struct json_object *token, uint8_t sealed[static KEYS_KMS_SEALED_MAX],
		      size_t *size, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code volume_token_tpm_read(struct json_object *token,
							   struct keys_tpm_object *object,
							   struct mortise_error *err);

/* Has token id one of the types whose token opens the keyslot of the same number? */
bool volume_token_is_numbered(struct json_object *metadata, int id);

/* Reads an array of PCR numbers as bits. False: it is not one, or NULL. */
bool volume_token_pcrs(struct json_object *array, uint32_t *pcrs);

#define VOLUME_PEM_MAX	     4096u /* bytes of a public key in a token */

/* A token of type systemd-tpm2. */
struct volume_systemd {
	struct keys_tpm_object object;
	uint32_t signed_pcrs;		/* object is bound to a signature over these; 0: to none */
	uint8_t pem[VOLUME_PEM_MAX];	/* the key of the signature */
	size_t pem_size;
	uint8_t salt[MORTISE_SALT_MAX];	/* of the PIN */
	size_t salt_size;
};

/*
 * Parses a token, which may be NULL or of any shape. MORTISE_E_NO_TOKEN: it is of another type.
 * MORTISE_E_SOURCE: it is invalid. MORTISE_E_UNSUPPORTED: it is bound to something that only systemd supports.
 */
MORTISE_MUST_CHECK enum mortise_code volume_token_systemd_read(struct json_object *token,
							       struct volume_systemd *out,
							       struct mortise_error *err);
/*
 * What the TPM key of a keyslot is bound to, from a token of Talos or else of systemd. The errors are
 * those of volume_token_tpm_read() and volume_token_systemd_read().
 */
MORTISE_MUST_CHECK enum mortise_code volume_token_binding(struct json_object *metadata, int keyslot,
							  struct keys_tpm_object *object,
							  struct mortise_error *err);
/* The first token of type systemd-tpm2 that lists this keyslot alone, or -1. */
int volume_token_systemd_of(struct json_object *metadata, int keyslot);

/* Create a token. NULL: out of memory. */
struct json_object *volume_token_systemd_new(const struct volume_systemd *what, int keyslot);
struct json_object *volume_token_kms_new(const uint8_t *sealed, size_t size);
struct json_object *volume_token_tpm_new(const struct keys_tpm_object *object, int keyslot);

/* Is it the token of a KMS or TPM key? token may be NULL. */
bool volume_token_is_sealed(struct json_object *token);
/*
 * Stores token, whose ownership it takes, under id. Replaces the token of a sealed key; any other
 * token at that id moves to a free id. False: out of memory or ids.
 */
MORTISE_MUST_CHECK bool volume_token_put(struct json_object *metadata, int id,
					 struct json_object *token);
/* Removes the token of this id if it belongs to a sealed key, and systemd's of keyslot id alone. */
void volume_token_drop(struct json_object *metadata, int id);
/* The highest free id, or -1. */
int volume_token_free_id(struct json_object *metadata);
/* Bit n: a recovery token marks keyslot n. */
uint32_t volume_token_recovery_keyslots(const struct mortise_luks2 *header);

/* "sha256"; NULL: unknown. 0 is SHA-256. */
const char *volume_pcr_bank_name(uint16_t bank);

/*
 * Parses the text of a signature file ({"sha256":[{"pcrs":[11],"pkfp":...,"pol":...,"sig":...}]})
 * into policy, whose public key, bank and PCRs are unchanged. Skips entries for other PCRs.
 * MORTISE_E_SOURCE.
 */
MORTISE_MUST_CHECK enum mortise_code volume_signatures_parse(const char *text, size_t size,
							     struct keys_tpm_signed_policy *policy,
							     struct mortise_error *err);

/*
 * Reads the signed policy of this machine from directory (NULL: /.extra, then /run/systemd). *out
 * is NULL if the key or the signatures are missing; free(3) it.
 */
MORTISE_MUST_CHECK enum mortise_code volume_signed_policy(const char *directory,
							  struct keys_tpm_signed_policy **out,
							  struct mortise_error *err);
/* Reads only the signatures. MORTISE_E_SOURCE: the file is missing. */
MORTISE_MUST_CHECK enum mortise_code volume_signatures_read(const char *directory,
							    struct keys_tpm_signed_policy *policy,
							    struct mortise_error *err);
/* The text of the public key. MORTISE_E_SOURCE: longer than VOLUME_PEM_MAX bytes. */
MORTISE_MUST_CHECK enum mortise_code volume_signed_policy_pem(const char *directory,
							      uint8_t pem[static VOLUME_PEM_MAX],
							      size_t *size,
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

/* Create a random passphrase and seal it. Errors are those of keys/sources/ and of efivarfs. */
MORTISE_MUST_CHECK enum mortise_code volume_kms_new(const struct mortise_key_sources *sources,
						    const char *endpoint, struct volume_key *key,
						    struct mortise_error *err);

struct tpm_seal_options {
	int keyslot;
	uint32_t pcrs; /* bit n: PCR n */
	const uint8_t *pcr_15; /* its value at the next boot; NULL: its current value */
	bool check_secureboot;
	bool systemd;	/* make a token of type systemd-tpm2 */
	const struct mortise_secret *pin; /* with systemd; NULL: none */
};

MORTISE_MUST_CHECK enum mortise_code volume_tpm_new(const struct mortise_key_sources *sources,
						    const struct tpm_seal_options *wish,
						    struct volume_key *key,
						    struct mortise_error *err);

/* Creates a recovery key, and the token that marks its keyslot. */
MORTISE_MUST_CHECK enum mortise_code volume_recovery_new(int keyslot, struct volume_key *key,
							 struct mortise_error *err);

/*
 * Unseal the passphrase of keyslot id with its token. MORTISE_E_NO_TOKEN as above, MORTISE_E_WAIT if
 * PCR 15 was not extended yet, and the errors of keys/sources/.
 */
MORTISE_MUST_CHECK enum mortise_code volume_kms_get(const struct mortise_key_sources *sources,
						    const char *endpoint,
						    struct json_object *metadata, int id,
						    struct mortise_secret **passphrase,
						    struct mortise_error *err);
/* For a keyslot without a token of Talos, uses its token of type systemd-tpm2. */
MORTISE_MUST_CHECK enum mortise_code volume_tpm_get(const struct mortise_key_sources *sources,
						    struct json_object *metadata, int id,
						    struct mortise_secret **passphrase,
						    struct mortise_error *err);
/* The same by the id of a token of type systemd-tpm2. MORTISE_E_PIN: sources has no PIN. */
MORTISE_MUST_CHECK enum mortise_code volume_systemd_get(const struct mortise_key_sources *sources,
							struct json_object *metadata, int token,
							struct mortise_secret **passphrase,
							struct mortise_error *err);

/* Hashes a PIN as systemd does, to *auth; salt_size may be 0. */
MORTISE_MUST_CHECK enum mortise_code volume_systemd_pin(const struct mortise_secret *pin,
							const uint8_t *salt, size_t salt_size,
							struct mortise_secret **auth,
							struct mortise_error *err);

/* Encodes bytes in base64 to get the passphrase. */
MORTISE_MUST_CHECK enum mortise_code volume_as_passphrase(const uint8_t *bytes, size_t size,
							  struct mortise_secret **passphrase,
							  struct mortise_error *err);

/* The private key of the client certificate for a KMS; NULL: there is none. sources may be NULL. */
const char *volume_kms_key_file(const struct mortise_key_sources *sources);

/* The UUID in sources, or else the machine's. */
MORTISE_MUST_CHECK enum mortise_code volume_node_uuid(const struct mortise_key_sources *sources,
						      char uuid[static VOLUME_NODE_UUID_ROOM],
						      struct mortise_error *err);

#endif
