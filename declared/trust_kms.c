/* SPDX-License-Identifier: MIT */
/* Which KMS a run contacts. The request names the machine, and its answer is a key. */
#include <stdio.h>
#include <strings.h>

#include "base/error.h"
#include "declared/trust.h"
#include "keys/sources/kms/endpoint.h"

#define ROOM (KEYS_KMS_SCHEME_MAX + KEYS_KMS_HOST_MAX + 16)

static bool is_listed(const struct config_trust_list *list, const struct keys_kms_endpoint *wanted)
{
	for (size_t i = 0; i < list->count; i++) {
		struct keys_kms_endpoint listed;
		struct mortise_error ignored;

		if (!keys_kms_endpoint_parse(list->text[i], &listed, &ignored) &&
		    !strcasecmp(listed.scheme, wanted->scheme) &&
		    !strcasecmp(listed.host, wanted->host) && listed.port == wanted->port)
			return true;
	}
	return false;
}

static enum mortise_code check_plain(const struct config_trust *trust, const char *shown,
				     bool from_meta, struct mortise_error *err)
{
	if (trust->kms_insecure)
		return MORTISE_OK;
	if (from_meta)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "cannot trust the KMS %s: META names it, and it does not use TLS; "
				 "to permit it, set kms.insecure in " CONFIG_TRUST_FILE
				 " of the boot image",
				 shown);
	if (trust->kms_ca)
		return error_set(
			err, MORTISE_E_POLICY, 0,
			"cannot trust the KMS %s: it does not use TLS, but %s names the CA "
			"of the KMS; use https://, or set kms.insecure there",
			shown, trust->source);
	return MORTISE_OK;
}

enum mortise_code volume_trust_check_kms(const struct config_trust *trust, const char *endpoint,
					 bool from_meta, struct mortise_error *err)
{
	struct keys_kms_endpoint wanted;
	char shown[ROOM];
	enum mortise_code code = keys_kms_endpoint_parse(endpoint, &wanted, err);

	if (code)
		return code;
	snprintf(shown, sizeof(shown), "%s://%s:%u", wanted.scheme, wanted.host, wanted.port);
	if (!wanted.tls)
		code = check_plain(trust, shown, from_meta, err);
	for (size_t i = 0; !code && i < 2; i++)
		if (trust->kms_endpoints[i].given && !is_listed(&trust->kms_endpoints[i], &wanted))
			code = error_set(err, MORTISE_E_POLICY, 0,
					 "cannot trust the KMS %s: %s does not list it in "
					 "kms.endpoints",
					 shown, trust->source);
	return code;
}

bool volume_kms_is_plain(const char *endpoint)
{
	struct keys_kms_endpoint parsed;
	struct mortise_error ignored;

	return !keys_kms_endpoint_parse(endpoint, &parsed, &ignored) && !parsed.tls;
}
