/* SPDX-License-Identifier: MIT */
/*
 * Keys of kind tpm: data sealed by a TPM 2.0, bound to the boot image by a signed policy of PCR 11
 * and to the values of other PCRs. The method is that of Talos Linux.
 */
#ifndef KEYS_TPM_H
#define KEYS_TPM_H

#include <mortise.h>

#define KEYS_TPM_SECRET_SIZE  32u   /* bytes of data to seal */
#define KEYS_TPM_DIGEST_SIZE  32u   /* SHA-256 */
#define KEYS_TPM_SIGNED_PCR   11u
#define KEYS_TPM_IDENTITY_PCR 15u   /* "system-identity" in the UAPI group's list of PCRs */
#define KEYS_TPM_BLOB_MAX     1024u /* bytes of a TPM2B_PRIVATE or TPM2B_PUBLIC */
#define KEYS_TPM_NAME_MAX     68u   /* bytes of a TPM2B_NAME */
#define KEYS_TPM_MODULUS_MAX  512u  /* bytes of an RSA key of 4096 bits */
#define KEYS_TPM_SIGNATURES_MAX 32u
#define KEYS_TPM_LIMIT_MS     20000u

/* A signed PolicyPCR digest of PCR 11. */
struct keys_tpm_signature {
	uint8_t policy[KEYS_TPM_DIGEST_SIZE];
	uint8_t fingerprint[KEYS_TPM_DIGEST_SIZE]; /* SHA-256 of the RSAPublicKey (PKCS #1) DER */
	uint8_t signature[KEYS_TPM_MODULUS_MAX];   /* RSASSA, SHA-256, over policy */
	size_t signature_size;
};

/* The public key of the boot image's maker, and the signatures of this key. */
struct keys_tpm_signed_policy {
	uint8_t modulus[KEYS_TPM_MODULUS_MAX]; /* big-endian */
	size_t modulus_size;
	uint32_t exponent; /* 0: 65537, as some programs write it into the TPM's structures */
	uint32_t pcrs; /* bit n: the signatures are over PCR n; 0: PCR 11 */
	uint16_t bank; /* TPM_ALG_ID of the bank of pcrs; 0: SHA-256 */
	struct keys_tpm_signature signatures[KEYS_TPM_SIGNATURES_MAX];
	size_t signature_count;
};

struct keys_tpm {
	const char *tcti; /* as in tctildr(3); NULL: /dev/tpmrm0, then /dev/tpm0 */
	const struct keys_tpm_signed_policy *policy; /* of this machine; NULL: it has none */
	const struct mortise_secret *pin; /* of an object with a PIN: SHA-256 of the PIN */
	const struct mortise_events *events; /* NULL: the wait cannot be canceled */
	uint32_t limit_ms; /* maximum duration of a call; 0: KEYS_TPM_LIMIT_MS */
};

/* The PCRs to seal a secret to. */
struct keys_tpm_binding {
	uint32_t pcrs;		/* bit n: PCR n */
	uint32_t predicted;	/* bit n: PCR n will have values[n] at the next boot, whatever it is
				 * now */
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
	bool systemd;		/* make an object that systemd-cryptsetup can unseal */
};

/* A sealed object as stored in a token. */
struct keys_tpm_object {
	uint8_t private_blob[KEYS_TPM_BLOB_MAX]; /* TPM2B_PRIVATE, including its size field */
	size_t private_size;
	uint8_t public_blob[KEYS_TPM_BLOB_MAX];	 /* TPM2B_PUBLIC, including its size field */
	size_t public_size;
	uint8_t key_name[KEYS_TPM_NAME_MAX];	 /* TPM2B_NAME of the storage root key */
	size_t key_name_size;
	uint8_t policy_hash[KEYS_TPM_DIGEST_SIZE];
	bool signed_policy;	/* bound to the signed policy of PCR 11 */
	uint32_t pcrs;		/* bit n: bound to the value of PCR n */
	bool systemd;		/* made as by systemd-cryptenroll; the members up to srk are for it */
	bool rsa;		/* its parent is an RSA key, not an ECC key */
	bool pin;		/* it also needs a PIN */
	uint16_t bank;		/* TPM_ALG_ID of the bank of pcrs */
	size_t srk_size;	/* 0: create the parent from a template */
	uint8_t srk[KEYS_TPM_BLOB_MAX]; /* persistent parent, serialized by tpm2-tss */
	uint32_t values_known;	/* bit n: pcr_values[n] is this value; set when sealed */
	uint8_t pcr_values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
};

/* False if no TCTI is given and this machine has no device of a TPM, or has none yet. */
bool keys_tpm_exists(const char *tcti);
/* Does the firmware (ACPI) say that this machine has a TPM 2.0? Its device may come later. */
bool keys_tpm_is_announced(void);

/*
 * Seals secret under the storage root key, bound to tpm->policy and to binding. MORTISE_E_USAGE:
 * neither is given, so the object would open after any boot. MORTISE_E_UNREACHABLE: the TPM is
 * busy for too long, or in a lockout that ends by itself. MORTISE_E_UNSUPPORTED: built without
 * MORTISE_TPM, or tpm2-tss is not installed. MORTISE_E_SOURCE: a PCR that is not predicted is all
 * zeros or all ones, there is no TPM, or any other failure.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_seal(const struct keys_tpm *tpm, const struct keys_tpm_binding *binding,
	      const uint8_t secret[static KEYS_TPM_SECRET_SIZE], struct keys_tpm_object *object,
	      struct mortise_error *err);

/*
 * Unseals object. MORTISE_E_KEY: the PIN is wrong. No secret crosses the bus unencrypted. MORTISE_E_STALE: the PCRs, the policy or
 * the TPM have changed since it was sealed, and a new sealed object could be unsealed; the message
 * says what has changed ("PCR 7 has changed"), and bit n of *changed is set if PCR n is known to
 * have changed. MORTISE_E_SOURCE: also if the value of PCR 11 is not signed. PCR 15 may be zero:
 * it has this value until the first extension.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_unseal(const struct keys_tpm *tpm, const struct keys_tpm_object *object,
		struct mortise_secret **secret, uint32_t *changed, struct mortise_error *err);

/* Extends pcr of the SHA-256 bank with digest. */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_extend(const struct keys_tpm *tpm, unsigned pcr,
		const uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/* Computes the value that extending a PCR with digest gives it: SHA-256(before || digest). */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_extended(const uint8_t before[static KEYS_TPM_DIGEST_SIZE],
		  const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
		  uint8_t after[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Reads pcr of the SHA-256 bank. *exists: this machine has a TPM; if it has none, the call
 * succeeds.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_pcr_value(const struct keys_tpm *tpm, unsigned pcr,
							bool *exists,
							uint8_t value[static KEYS_TPM_DIGEST_SIZE],
							struct mortise_error *err);

/*
 * Reads a public key in PEM format (SubjectPublicKeyInfo, RSA with 2048 to 4096 bits) into policy,
 * without changing its signatures. MORTISE_E_UNSUPPORTED: another number of bits.
 * MORTISE_E_SOURCE: not an RSA public key.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_public_key(const char *pem, size_t size,
							 struct keys_tpm_signed_policy *policy,
							 struct mortise_error *err);

/*
 * Computes the policy digest of a sealed object: PolicyAuthorize with the policy's key if policy is
 * not NULL, then PolicyPCR over pcrs. pcr_values[n] is the value of PCR n.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_policy_digest(const struct keys_tpm_signed_policy *policy, uint32_t pcrs,
		       const uint8_t pcr_values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		       uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Checks that Secure Boot is enabled and not in setup mode. efivars: "/sys/firmware/efi/efivars".
 * MORTISE_E_POLICY: "failed to enroll the TPM2 key, as ...".
 */
MORTISE_MUST_CHECK enum mortise_code keys_secureboot_check(const char *efivars,
							   struct mortise_error *err);

#endif
