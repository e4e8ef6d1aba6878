/* SPDX-License-Identifier: MIT */
/*
 * Kind tpm: bytes sealed by a TPM 2.0, bound to the boot by a signed policy of PCR 11 and to
 * what other PCRs hold. The recipe is Talos Linux's.
 */
#ifndef KEYS_TPM_H
#define KEYS_TPM_H

#include <mortise.h>

#define KEYS_TPM_SECRET_SIZE  32u   /* bytes that are sealed */
#define KEYS_TPM_DIGEST_SIZE  32u   /* SHA-256 */
#define KEYS_TPM_SIGNED_PCR   11u
#define KEYS_TPM_BLOB_MAX     1024u /* bytes of a TPM2B_PRIVATE or TPM2B_PUBLIC */
#define KEYS_TPM_NAME_MAX     68u   /* bytes of a TPM2B_NAME */
#define KEYS_TPM_MODULUS_MAX  512u  /* bytes of an RSA key of 4096 bits */
#define KEYS_TPM_SIGNATURES_MAX 32u
#define KEYS_TPM_LIMIT_MS     20000u

/* A PolicyPCR digest of PCR 11 that somebody has signed. */
struct keys_tpm_signature {
	uint8_t policy[KEYS_TPM_DIGEST_SIZE];
	uint8_t fingerprint[KEYS_TPM_DIGEST_SIZE]; /* SHA-256 of the RSAPublicKey (PKCS #1) DER */
	uint8_t signature[KEYS_TPM_MODULUS_MAX];   /* RSASSA, SHA-256, over policy */
	size_t signature_size;
};

/* The public key of the boot image's maker, and what was signed with it. */
struct keys_tpm_signed_policy {
	uint8_t modulus[KEYS_TPM_MODULUS_MAX]; /* big-endian */
	size_t modulus_size;
	uint32_t exponent;
	struct keys_tpm_signature signatures[KEYS_TPM_SIGNATURES_MAX];
	size_t signature_count;
};

struct keys_tpm {
	const char *tcti; /* as tctildr(3) takes it; NULL: /dev/tpmrm0, then /dev/tpm0 */
	const struct keys_tpm_signed_policy *policy; /* of this machine; NULL: it has none */
	const struct mortise_events *events; /* NULL: the wait cannot be canceled */
	uint32_t limit_ms; /* of one call, whatever the TPM does; 0: KEYS_TPM_LIMIT_MS */
};

/* A sealed object, as the token keeps it. */
struct keys_tpm_object {
	uint8_t private_blob[KEYS_TPM_BLOB_MAX]; /* TPM2B_PRIVATE, its size in front */
	size_t private_size;
	uint8_t public_blob[KEYS_TPM_BLOB_MAX];	 /* TPM2B_PUBLIC, likewise */
	size_t public_size;
	uint8_t key_name[KEYS_TPM_NAME_MAX];	 /* TPM2B_NAME of the storage root key */
	size_t key_name_size;
	uint8_t policy_hash[KEYS_TPM_DIGEST_SIZE];
	bool signed_policy;	/* bound to the signed policy of PCR 11 */
	uint32_t pcrs;		/* bit n: bound to what PCR n held */
	uint32_t values_known;	/* bit n: pcr_values[n] is what it held; set when sealed */
	uint8_t pcr_values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
};

/*
 * Seals under the storage root key, with the policy that the machine has and pcrs. Without
 * both it is refused (MORTISE_E_USAGE): it would open on any boot. A PCR of all zeros or all
 * ones is refused (MORTISE_E_SOURCE). MORTISE_E_UNREACHABLE: busy for too long, or lockout
 * that ends by itself. MORTISE_E_UNSUPPORTED: not in this build, or tpm2-tss is not installed.
 * MORTISE_E_SOURCE: no TPM, and all else.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_seal(const struct keys_tpm *tpm, uint32_t pcrs,
	      const uint8_t secret[static KEYS_TPM_SECRET_SIZE], struct keys_tpm_object *object,
	      struct mortise_error *err);

/*
 * MORTISE_E_STALE: PCRs, policy or TPM are not those that it was sealed under, and what is sealed
 * now would be; the sentence says which ("PCR 7 has changed"). MORTISE_E_SOURCE: also when PCR 11
 * is in a state that nobody has signed. No secret crosses the bus in the clear.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_unseal(const struct keys_tpm *tpm,
						     const struct keys_tpm_object *object,
						     struct mortise_secret **secret,
						     struct mortise_error *err);

/* Extends pcr of the SHA-256 bank with SHA-256(word). */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_extend(const struct keys_tpm *tpm, unsigned pcr,
						     const char *word, struct mortise_error *err);

/*
 * Reads a public key in PEM (SubjectPublicKeyInfo, RSA of 2048 to 4096 bits) into policy, which
 * keeps its signatures. MORTISE_E_UNSUPPORTED, MORTISE_E_SOURCE.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_public_key(const char *pem, size_t size,
							 struct keys_tpm_signed_policy *policy,
							 struct mortise_error *err);

/*
 * The policy digest of a sealed object: PolicyAuthorize by the policy's key when policy is
 * not NULL, then PolicyPCR over pcrs, whose values stand in pcr_values by their numbers.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_tpm_policy_digest(const struct keys_tpm_signed_policy *policy, uint32_t pcrs,
		       const uint8_t pcr_values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		       uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Is Secure Boot on and not in setup mode? efivars: "/sys/firmware/efi/efivars". MORTISE_E_POLICY:
 * "failed to enroll the TPM2 key, as ...".
 */
MORTISE_MUST_CHECK enum mortise_code keys_secureboot_check(const char *efivars,
							   struct mortise_error *err);

#endif
