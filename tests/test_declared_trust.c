/* SPDX-License-Identifier: MIT */
/* Whether the configuration of STATE asks for no less than the trust file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "declared/trust.h"

#define BIT(kind) (1u << CONFIG_KEY_##kind)

static const struct {
	bool encrypted, must_be_encrypted;
	uint32_t kinds, permitted;
	const char *error; /* NULL: trusted */
} cases[] = {
	{ false, false, 0, BIT(TPM), NULL },
	{ true, false, BIT(STATIC), BIT(STATIC) | BIT(TPM), NULL },
	{ true, true, BIT(TPM), BIT(TPM), NULL },
	{ true, true, BIT(TPM) | BIT(NODE_ID), BIT(TPM) | BIT(NODE_ID) | BIT(KMS), NULL },
	{ false, true, 0, BIT(TPM), "it is not encrypted, but trust.yaml requires it" },
	{ true, true, BIT(TPM) | BIT(STATIC), BIT(TPM) | BIT(NODE_ID),
	  "it has a static key (keyslot 0), but trust.yaml permits only nodeID, tpm" },
	{ true, true, BIT(KMS), BIT(STATIC),
	  "it has a kms key (keyslot 2), but trust.yaml permits only static" },
};

static void test_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_key keys[4] = { 0 };
		struct config_volume volume = { .name = "STATE",
						.id = "STATE",
						.encrypted = cases[i].encrypted,
						.keys = keys };
		const struct config_trust trust = { .source = "trust.yaml",
						    .state_encrypted = cases[i].must_be_encrypted,
						    .state_keys = cases[i].permitted };
		struct mortise_error err = { 0 };
		enum mortise_code code;

		for (unsigned kind = 0; kind < 4; kind++)
			if (cases[i].kinds & 1u << kind)
				keys[volume.key_count++] =
					(struct config_key){ .kind = kind, .slot = kind };
		code = volume_trust_check_state(&trust, &volume, &err);
		if (code != (cases[i].error ? MORTISE_E_POLICY : MORTISE_OK) ||
		    (cases[i].error && !strstr(err.text, cases[i].error)))
			fail_msg("case %zu: %d, %s", i, code, err.text);
	}
}

/* Without a trust file, nothing is required. */
static void test_defaults(void **state)
{
	struct config_trust *trust = config_trust_new();
	struct config_key keys[1] = { { .kind = CONFIG_KEY_STATIC } };
	const struct config_volume encrypted = { .encrypted = true, .keys = keys, .key_count = 1 };
	const struct config_volume plain = { .encrypted = false };
	struct mortise_error err;

	(void)state;
	assert_non_null(trust);
	assert_int_equal(volume_trust_check_state(trust, &encrypted, &err), MORTISE_OK);
	assert_int_equal(volume_trust_check_state(trust, &plain, &err), MORTISE_OK);
	config_trust_free(trust);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
