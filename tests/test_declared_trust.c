/* SPDX-License-Identifier: MIT */
/* What the trust file permits: the configuration of STATE, KMS endpoints, the CA of a KMS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "declared/declared.h"
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
	{ false, true, 0, BIT(TPM),
	  "it is not encrypted, but trust.yaml requires it; declare its encryption" },
	{ true, true, BIT(TPM) | BIT(STATIC), BIT(TPM) | BIT(NODE_ID),
	  "it has a static key (keyslot 0), but trust.yaml permits only nodeID, tpm; declare other "
	  "keys" },
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
		code = volume_trust_check_state(&trust, &volume, false, &err);
		if (code != (cases[i].error ? MORTISE_E_POLICY : MORTISE_OK) ||
		    (cases[i].error && !strstr(err.text, cases[i].error)))
			fail_msg("case %zu: %d, %s", i, code, err.text);
		if (code != volume_trust_check_state(&trust, &volume, true, &err) ||
		    (code && !strstr(err.text, "restore the configuration with `mortise apply")))
			fail_msg("case %zu, from META: %s", i, err.text);
	}
}

static char *https[] = { "https://kms.example:4050", "https://KMS2.example" };
static char *insecure[] = { "grpc://kms.example:4050" };

static const struct {
	const char *endpoint;
	bool from_meta, insecure, pinned;
	struct config_trust_list list[2];
	const char *error; /* NULL: trusted */
} kms_cases[] = {
	{ "grpc://kms.example:4050", false, false, false, { { 0 } }, NULL },
	{ "kms.example:4050",
	  true,
	  false,
	  false,
	  { { 0 } },
	  "cannot trust the KMS grpc://kms.example:4050: META names it, and it does not use TLS" },
	{ "grpc://kms.example:4050", true, true, false, { { 0 } }, NULL },
	{ "https://kms.example:4050", true, false, true, { { 0 } }, NULL },
	{ "grpc://kms.example:4050",
	  false,
	  false,
	  true,
	  { { 0 } },
	  "it does not use TLS, but trust.yaml names the CA" },
	{ "grpc://kms.example:4050", false, true, true, { { 0 } }, NULL },
	{ "https://user@KMS.example:4050/path", true, false, false, { { true, https, 2 } }, NULL },
	{ "https://kms2.example:443", true, false, false, { { true, https, 2 } }, NULL },
	{ "https://kms2.example:4050",
	  true,
	  false,
	  false,
	  { { true, https, 2 } },
	  "https://kms2.example:4050: trust.yaml does not list it" },
	{ "grpc://kms.example:4050",
	  false,
	  false,
	  false,
	  { { true, https, 2 } },
	  "does not list it" },
	{ "grpc://kms.example:4050",
	  true,
	  false,
	  false,
	  { { true, insecure, 1 } },
	  "META names it" },
	{ "https://kms.example", false, false, false, { { true, NULL, 0 } }, "does not list it" },
	{ "https://kms2.example",
	  false,
	  false,
	  false,
	  { { true, https, 2 }, { true, https, 1 } },
	  "does not list it" },
};

static void test_kms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kms_cases) / sizeof(kms_cases[0]); i++) {
		struct config_trust trust = { .source = "trust.yaml",
					      .kms_insecure = kms_cases[i].insecure };
		struct mortise_error err = { 0 };
		char ca[] = "/ca.pem";
		enum mortise_code code;

		trust.kms_ca = kms_cases[i].pinned ? ca : NULL;
		memcpy(trust.kms_endpoints, kms_cases[i].list, sizeof(trust.kms_endpoints));
		code = volume_trust_check_kms(&trust, kms_cases[i].endpoint, kms_cases[i].from_meta,
					      &err);
		if (!MORTISE_KMS)
			assert_int_equal(code, MORTISE_E_UNSUPPORTED);
		else if (code != (kms_cases[i].error ? MORTISE_E_POLICY : MORTISE_OK) ||
			 (kms_cases[i].error && !strstr(err.text, kms_cases[i].error)))
			fail_msg("case %zu: %d, %s", i, code, err.text);
	}
}

/* The CA of the trust file replaces that of the options. */
static void test_pinned_ca(void **state)
{
	static const char text[] = "kms: {ca: /pinned.pem}\n";
	const struct mortise_key_sources sources = { .struct_size = sizeof(sources),
						     .kms_ca = "/other.pem" };
	char path[] = "/tmp/mortise-trust.XXXXXX";
	const struct mortise_up_options options = { .struct_size = sizeof(options),
						    .sources = &sources,
						    .trust = path };
	struct config volumes = { .volume_count = 0 };
	const struct mortise_config config = { .volumes = &volumes };
	struct volume_run run;
	struct mortise_error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(volume_run_init(&run, &config, &options, &err), MORTISE_OK);
	assert_string_equal(run.sources.kms_ca, "/pinned.pem");
	volume_run_clear(&run);
	unlink(path);
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
	assert_int_equal(volume_trust_check_state(trust, &encrypted, true, &err), MORTISE_OK);
	assert_int_equal(volume_trust_check_state(trust, &plain, true, &err), MORTISE_OK);
	config_trust_free(trust);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_kms),
		cmocka_unit_test(test_pinned_ca),
		cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
