/* SPDX-License-Identifier: MIT */
/*
 * Digests as specified in the TPM 2.0 Library: part 1, sections 16 (names) and 19.7 (policies),
 * part 3, sections 23.7 (PolicyPCR), 23.16 (PolicyAuthorize) and 23.17 (PolicyAuthValue).
 */
#include "keys/sources/tpm/policy.h"

#include <string.h>

#include <tss2/tss2_tpm2_types.h>

#define BIG(value, shift) (uint8_t)((value) >> (shift))
#define BIG16(value)	  BIG(value, 8), BIG(value, 0)
#define BIG32(value)	  BIG(value, 24), BIG(value, 16), BIG(value, 8), BIG(value, 0)

#define DER_INTEGER	  0x02
#define DER_SEQUENCE	  0x30
#define DER_HEAD_MAX	  4u /* a tag and a length of up to 65535 bytes */

static size_t der_head(uint8_t head[static DER_HEAD_MAX], uint8_t tag, size_t length)
{
	size_t at = 0;

	head[at++] = tag;
	if (length > 0xff) {
		head[at++] = 0x82;
		head[at++] = (uint8_t)(length >> 8);
	} else if (length > 0x7f) {
		head[at++] = 0x81;
	}
	head[at++] = (uint8_t)length;
	return at;
}

/* Encodes a positive number without leading zeros, except for one if the highest bit is set. */
static size_t der_integer(uint8_t *der, const uint8_t *number, size_t size)
{
	size_t at;

	while (size > 1 && !*number) {
		number++;
		size--;
	}
	at = der_head(der, DER_INTEGER, size + (*number >> 7));
	if (*number >> 7)
		der[at++] = 0;
	memcpy(der + at, number, size);
	return at + size;
}

enum mortise_code keys_tpm_fingerprint(const struct keys_tpm_signed_policy *policy,
				       uint8_t fingerprint[static KEYS_TPM_DIGEST_SIZE],
				       struct mortise_error *err)
{
	const uint32_t e = policy->exponent ? policy->exponent : 65537;
	const uint8_t exponent[] = { BIG32(e) };
	uint8_t body[2 * (DER_HEAD_MAX + 1) + KEYS_TPM_MODULUS_MAX + sizeof(exponent)];
	uint8_t head[DER_HEAD_MAX];
	struct keys_bytes part[2];
	size_t size;

	size = der_integer(body, policy->modulus, policy->modulus_size);
	size += der_integer(body + size, exponent, sizeof(exponent));
	part[0] = (struct keys_bytes){ head, der_head(head, DER_SEQUENCE, size) };
	part[1] = (struct keys_bytes){ body, size };
	return keys_sha256(part, 2, fingerprint, err);
}

enum mortise_code keys_tpm_policy_key_name(const struct keys_tpm_signed_policy *policy,
					   uint8_t name[static KEYS_TPM_OBJECT_NAME_SIZE],
					   struct mortise_error *err)
{
	/* TPMT_PUBLIC. The exponent is explicit: a TPM treats 0 and 65537 as different keys. */
	const uint8_t head[] = {
		BIG16(TPM2_ALG_RSA),
		BIG16(TPM2_ALG_SHA256),
		BIG32(TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN_ENCRYPT),
		BIG16(0), /* no policy */
		BIG16(TPM2_ALG_NULL),
		BIG16(TPM2_ALG_NULL),
		BIG16(policy->modulus_size * 8),
		BIG32(policy->exponent),
		BIG16(policy->modulus_size),
	};
	const struct keys_bytes part[] = {
		{ head, sizeof(head) },
		{ policy->modulus, policy->modulus_size },
	};

	name[0] = BIG(TPM2_ALG_SHA256, 8);
	name[1] = BIG(TPM2_ALG_SHA256, 0);
	return keys_sha256(part, 2, name + 2, err);
}

static enum mortise_code bind_policy_key(const struct keys_tpm_signed_policy *policy,
					 uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
					 struct mortise_error *err)
{
	static const uint8_t zeros[KEYS_TPM_DIGEST_SIZE];
	const uint8_t command[] = { BIG32(TPM2_CC_PolicyAuthorize) };
	uint8_t name[KEYS_TPM_OBJECT_NAME_SIZE];
	const struct keys_bytes approved[] = {
		{ zeros, sizeof(zeros) },
		{ command, sizeof(command) },
		{ name, sizeof(name) },
	};
	/* Followed by the policyRef, which is empty. */
	const struct keys_bytes referred = { digest, KEYS_TPM_DIGEST_SIZE };
	enum mortise_code code;

	code = keys_tpm_policy_key_name(policy, name, err);
	if (!code)
		code = keys_sha256(approved, 3, digest, err);
	if (!code)
		code = keys_sha256(&referred, 1, digest, err);
	return code;
}

static enum mortise_code
bind_pcrs(uint32_t pcrs, const uint8_t pcr_values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
	  uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err)
{
	/* PolicyPCR, then a TPML_PCR_SELECTION of one bank: PCR 0 is the lowest bit of byte 0. */
	const uint8_t command[] = {
		BIG32(TPM2_CC_PolicyPCR),
		BIG32(UINT32_C(1)),
		BIG16(TPM2_ALG_SHA256),
		MORTISE_PCRS / 8,
		BIG(pcrs, 0),
		BIG(pcrs, 8),
		BIG(pcrs, 16),
	};
	struct keys_bytes values[MORTISE_PCRS];
	uint8_t held[KEYS_TPM_DIGEST_SIZE];
	const struct keys_bytes part[] = {
		{ digest, KEYS_TPM_DIGEST_SIZE },
		{ command, sizeof(command) },
		{ held, sizeof(held) },
	};
	enum mortise_code code;
	size_t count = 0;

	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (pcrs >> pcr & 1)
			values[count++] =
				(struct keys_bytes){ pcr_values[pcr], KEYS_TPM_DIGEST_SIZE };
	}
	code = keys_sha256(values, count, held, err);
	if (!code)
		code = keys_sha256(part, 3, digest, err);
	return code;
}

enum mortise_code keys_tpm_policy_pin(uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				      struct mortise_error *err)
{
	const uint8_t command[] = { BIG32(TPM2_CC_PolicyAuthValue) };
	const struct keys_bytes part[] = {
		{ digest, KEYS_TPM_DIGEST_SIZE },
		{ command, sizeof(command) },
	};

	return keys_sha256(part, 2, digest, err);
}

enum mortise_code keys_tpm_extended(const uint8_t before[static KEYS_TPM_DIGEST_SIZE],
				    const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				    uint8_t after[static KEYS_TPM_DIGEST_SIZE],
				    struct mortise_error *err)
{
	const struct keys_bytes part[] = {
		{ before, KEYS_TPM_DIGEST_SIZE },
		{ digest, KEYS_TPM_DIGEST_SIZE },
	};

	return keys_sha256(part, 2, after, err);
}

enum mortise_code
keys_tpm_policy_digest(const struct keys_tpm_signed_policy *policy, uint32_t pcrs,
		       const uint8_t pcr_values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE],
		       uint8_t digest[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	memset(digest, 0, KEYS_TPM_DIGEST_SIZE);
	if (policy)
		code = bind_policy_key(policy, digest, err);
	if (!code && pcrs & KEYS_TPM_PCR_MASK)
		code = bind_pcrs(pcrs, pcr_values, digest, err);
	return code;
}
