/* SPDX-License-Identifier: MIT */
/* A build without keys of kind kms (MORTISE_KMS). */
#include "base/error.h"
#include "keys/sources/kms/endpoint.h"
#include "keys/sources/kms/kms.h"

static enum mortise_code report_absent(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "this build of mortise does not support keys of kind kms; build it with "
			 "MORTISE_KMS");
}

enum mortise_code keys_kms_endpoint_parse(const char *text, struct keys_kms_endpoint *out,
					  struct mortise_error *err)
{
	(void)text;
	(void)out;
	return report_absent(err);
}

enum mortise_code keys_kms_seal(const struct keys_kms *kms,
				const uint8_t data[static KEYS_KMS_DATA_SIZE],
				uint8_t sealed[static KEYS_KMS_SEALED_MAX], size_t *sealed_size,
				struct mortise_error *err)
{
	(void)kms;
	(void)data;
	(void)sealed;
	*sealed_size = 0;
	return report_absent(err);
}

enum mortise_code keys_kms_unseal(const struct keys_kms *kms, const uint8_t *sealed,
				  size_t sealed_size, struct mortise_secret **data,
				  struct mortise_error *err)
{
	(void)kms;
	(void)sealed;
	(void)sealed_size;
	*data = NULL;
	return report_absent(err);
}
