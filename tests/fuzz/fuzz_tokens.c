/* SPDX-License-Identifier: MIT */
/*
 * Hostile tokens and signature files. The first byte selects the parser for the rest of the input.
 * An accepted token is written again, and must parse to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "luks2/private.h"
#include "volume/sealed.h"
#include "tests/fuzz/fuzz.h"

enum kind { SIGNATURES, KMS, TPM, SYSTEMD, PLACES };
const char *const fuzz_kinds[] = { "signature files",	    "KMS tokens",    "TPM tokens",
				   "TPM tokens of systemd", "token objects", NULL };

static struct json_object *parse(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(LUKS2_JSON_DEPTH);
	struct json_object *object = NULL;

	if (tokener)
		object = json_tokener_parse_ex(tokener, text, (int)size);
	json_tokener_free(tokener);
	return object;
}

static void kms(struct json_object *token)
{
	uint8_t sealed[KEYS_KMS_SEALED_MAX], again[KEYS_KMS_SEALED_MAX];
	struct json_object *written;
	size_t size, again_size;

	if (volume_token_kms_read(token, sealed, &size, NULL))
		return;
	written = volume_token_kms_new(sealed, size);
	if (!written || volume_token_kms_read(written, again, &again_size, NULL) ||
	    again_size != size || memcmp(sealed, again, size) != 0)
		abort();
	fuzz_accepted(KMS);
	json_object_put(written);
}

static void tpm(struct json_object *token)
{
	struct keys_tpm_object object, again;
	struct json_object *written;

	if (volume_token_tpm_read(token, &object, NULL))
		return;
	written = volume_token_tpm_new(&object, 7);
	if (!written || volume_token_tpm_read(written, &again, NULL) ||
	    memcmp(&object, &again, sizeof(object)) != 0)
		abort();
	fuzz_accepted(TPM);
	json_object_put(written);
}

/* What was read as a token of systemd is written so that it is read as the same. */
static void systemd(struct json_object *token)
{
	static struct volume_systemd what, again;
	struct json_object *written;

	if (volume_token_systemd_read(token, &what, NULL))
		return;
	written = volume_token_systemd_new(&what, 7);
	/* These are never written. */
	what.salt_size = what.object.srk_size = 0;
	memset(what.salt, 0, sizeof(what.salt));
	memset(what.object.srk, 0, sizeof(what.object.srk));
	if (!what.signed_pcrs) {
		what.pem_size = 0;
		memset(what.pem, 0, sizeof(what.pem));
	}
	if (!written || volume_token_systemd_read(written, &again, NULL) ||
	    memcmp(&what, &again, sizeof(what)) != 0)
		abort();
	fuzz_accepted(SYSTEMD);
	json_object_put(written);
}

static void signatures(const char *text, size_t size)
{
	static struct keys_tpm_signed_policy policy;

	if (volume_signatures_parse(text, size, &policy, NULL))
		return;
	if (policy.signature_count > KEYS_TPM_SIGNATURES_MAX)
		abort();
	fuzz_accepted(SIGNATURES);
}

/* The same checks as in luks2/validate.c. */
static bool is_valid(struct json_object *tokens)
{
	if (!json_object_is_type(tokens, json_type_object))
		return false;
	json_object_object_foreach(tokens, id, token) {
		if (!luks2_json_digits(id) || !luks2_json_text(token, "type") ||
		    !luks2_json_get(token, "keyslots", json_type_array))
			return false;
	}
	return true;
}

/* The input as all tokens of a header: adding and removing tokens, and finding recovery keys. */
static void places(struct json_object *tokens)
{
	struct json_object *metadata = json_object_new_object();
	struct mortise_luks2 header = { .metadata = metadata };

	if (is_valid(tokens)) {
		fuzz_accepted(PLACES);
		json_object_object_add(metadata, "tokens", json_object_get(tokens));
		(void)volume_token_recovery_keyslots(&header);
		for (int id = 0; id < 3; id++) {
			if (!volume_token_put(metadata, id, json_object_new_object()))
				break;
			volume_token_drop(metadata, id + 1);
		}
	}
	json_object_put(metadata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *object;

	if (!size)
		return 0;
	if (data[0] % 4 == 0) {
		signatures((const char *)data + 1, size - 1);
		return 0;
	}
	object = parse((const char *)data + 1, size - 1);
	if (data[0] % 4 == 1)
		kms(object);
	else if (data[0] % 4 == 3)
		places(object);
	if (data[0] % 4 == 2) {
		tpm(object);
		systemd(object);
	}
	json_object_put(object);
	return 0;
}
