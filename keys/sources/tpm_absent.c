/* SPDX-License-Identifier: MIT */
/* A build without keys of kind tpm (MORTISE_TPM). */
#include "base/error.h"
#include "keys/sources/tpm/tpm.h"

static enum mortise_code report_absent(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "this build of mortise does not support keys of kind tpm; build it with "
			 "MORTISE_TPM");
}

bool keys_tpm_exists(const char *tcti)
{
	(void)tcti;
	return false;
}

bool keys_tpm_is_announced(void)
{
	return false;
}

enum mortise_code keys_tpm_seal(const struct keys_tpm *tpm, const struct keys_tpm_binding *binding,
				const uint8_t secret[static KEYS_TPM_SECRET_SIZE],
				struct keys_tpm_object *object, struct mortise_error *err)
{
	(void)tpm;
	(void)binding;
	(void)secret;
	(void)object;
	return report_absent(err);
}

enum mortise_code keys_tpm_unseal(const struct keys_tpm *tpm, const struct keys_tpm_object *object,
				  struct mortise_secret **secret, uint32_t *changed,
				  struct mortise_error *err)
{
	(void)tpm;
	(void)object;
	*secret = NULL;
	*changed = 0;
	return report_absent(err);
}

enum mortise_code keys_tpm_extend(const struct keys_tpm *tpm, unsigned pcr,
				  const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				  struct mortise_error *err)
{
	(void)tpm;
	(void)pcr;
	(void)digest;
	return report_absent(err);
}

enum mortise_code keys_tpm_extended(const uint8_t before[static KEYS_TPM_DIGEST_SIZE],
				    const uint8_t digest[static KEYS_TPM_DIGEST_SIZE],
				    uint8_t after[static KEYS_TPM_DIGEST_SIZE],
				    struct mortise_error *err)
{
	(void)before;
	(void)digest;
	(void)after;
	return report_absent(err);
}

enum mortise_code keys_tpm_pcr_value(const struct keys_tpm *tpm, unsigned pcr, bool *exists,
				     uint8_t value[static KEYS_TPM_DIGEST_SIZE],
				     struct mortise_error *err)
{
	(void)tpm;
	(void)pcr;
	(void)value;
	(void)err;
	*exists = false;
	return MORTISE_OK;
}

enum mortise_code keys_tpm_public_key(const char *pem, size_t size,
				      struct keys_tpm_signed_policy *policy,
				      struct mortise_error *err)
{
	(void)pem;
	(void)size;
	(void)policy;
	return report_absent(err);
}

enum mortise_code keys_secureboot_check(const char *efivars, struct mortise_error *err)
{
	(void)efivars;
	return report_absent(err);
}
