/* SPDX-License-Identifier: MIT */
/*
 * Tokens of sealed keys: the formats of Talos 1.11 and 1.12 (from its sources: member names, order,
 * omitted members), and invalid tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "volume/record.h"
#include "volume/sealed.h"

/* 32 bytes of 0x07, 32 bytes of 0x20, and a name, encoded by base64(1). */
#define HASH "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
#define NAME "ACIACyAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"

static const char talos_kms[] =
	"{\"UserData\":{\"sealedData\":\"AQIDBA==\"},\"type\":\"sideroKMS\",\"keyslots\":[]}";
static const char talos_tpm_112[] =
	"{\"UserData\":{\"keyslots\":[1],\"sealed_blob_private\":\"AAIBAg==\","
	"\"sealed_blob_public\":\"AAIDBA==\",\"pcrs\":[7],\"pubkey_pcrs\":[11],\"alg\":\"sha256\","
	"\"encryption_version\":\"1\",\"policy_hash\":\"" HASH "\",\"key_name\":\"" NAME
	"\"},\"type\":\"talos-tpm2\",\"keyslots\":[]}";
static const char talos_tpm_111[] =
	"{\"UserData\":{\"keyslots\":[1],\"sealed_blob_private\":\"AAIBAg==\","
	"\"sealed_blob_public\":\"AAIDBA==\",\"pcrs\":[11],\"alg\":\"sha256\","
	"\"policy_hash\":\"" HASH "\",\"key_name\":\"" NAME
	"\"},\"type\":\"talos-tpm2\",\"keyslots\":[]}";

static struct json_object *parse(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	if (!object)
		fail_msg("not JSON: %s", text);
	return object;
}

static void test_kms_written_as_talos_does(void **state)
{
	static const uint8_t sealed[] = { 1, 2, 3, 4 };
	struct json_object *token = volume_token_kms_new(sealed, sizeof(sealed));
	uint8_t again[KEYS_KMS_SEALED_MAX];
	size_t size = 0;

	(void)state;
	assert_string_equal(luks2_json_plain(token), talos_kms);
	assert_int_equal(volume_token_kms_read(token, again, &size, NULL), MORTISE_OK);
	assert_int_equal(size, sizeof(sealed));
	assert_memory_equal(again, sealed, sizeof(sealed));
	json_object_put(token);
}

static void test_kms_of_full_size(void **state)
{
	uint8_t sealed[KEYS_KMS_SEALED_MAX], again[KEYS_KMS_SEALED_MAX];
	struct json_object *token;
	size_t size = 0;

	(void)state;
	memset(sealed, 0xa5, sizeof(sealed));
	token = volume_token_kms_new(sealed, sizeof(sealed));
	assert_int_equal(volume_token_kms_read(token, again, &size, NULL), MORTISE_OK);
	assert_int_equal(size, sizeof(sealed));
	json_object_put(token);
}

static void test_tpm_written_as_talos_does(void **state)
{
	struct json_object *token = parse(talos_tpm_112), *written;
	struct keys_tpm_object object;

	(void)state;
	assert_int_equal(volume_token_tpm_read(token, &object, NULL), MORTISE_OK);
	assert_int_equal(object.private_size, 4);
	assert_memory_equal(object.private_blob, "\0\2\1\2", 4);
	assert_int_equal(object.public_size, 4);
	assert_int_equal(object.key_name_size, 36);
	assert_int_equal(object.policy_hash[31], 7);
	assert_int_equal(object.pcrs, 1u << 7);
	assert_true(object.signed_policy);
	written = volume_token_tpm_new(&object, 1);
	assert_string_equal(luks2_json_plain(written), talos_tpm_112);
	json_object_put(written);
	json_object_put(token);
}

/* The meaning of the members in each version. */
static void test_tpm_binding(void **state)
{
	static const struct {
		const char *members;
		bool signed_policy;
		uint32_t pcrs;
	} cases[] = {
		{ "\"pcrs\":[7,0],\"pubkey_pcrs\":[11],\"encryption_version\":\"1\"", true, 0x81 },
		{ "\"pubkey_pcrs\":[11],\"encryption_version\":\"1\"", true, 0 },
		{ "\"pcrs\":null,\"pubkey_pcrs\":[11],\"encryption_version\":\"1\"", true, 0 },
		/* Written by mortise, on a machine without a signed policy. */
		{ "\"pcrs\":[7],\"pubkey_pcrs\":[],\"encryption_version\":\"1\"", false, 0x80 },
		/* Up to Talos 1.11: the member has 11, and means 7 and the signed 11. */
		{ "\"pcrs\":[11]", true, 0x80 },
		{ "\"pcrs\":[11],\"encryption_version\":\"\"", true, 0x80 },
		{ "\"pcrs\":[3]", true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct keys_tpm_object object;
		struct json_object *token;
		char text[1024];

		snprintf(text, sizeof(text),
			 "{\"type\":\"talos-tpm2\",\"keyslots\":[],\"UserData\":{%s,"
			 "\"sealed_blob_private\":\"AAIBAg==\",\"sealed_blob_public\":\"AAIDBA==\","
			 "\"alg\":\"sha256\",\"policy_hash\":\"" HASH "\",\"key_name\":\"" NAME
			 "\"}}",
			 cases[i].members);
		token = parse(text);
		if (volume_token_tpm_read(token, &object, NULL) ||
		    object.signed_policy != cases[i].signed_policy || object.pcrs != cases[i].pcrs)
			fail_msg("%s: %d %x", cases[i].members, object.signed_policy, object.pcrs);
		json_object_put(token);
	}
}

static void test_old_token_opens_as_7(void **state)
{
	struct json_object *token = parse(talos_tpm_111);
	struct keys_tpm_object object;

	(void)state;
	assert_int_equal(volume_token_tpm_read(token, &object, NULL), MORTISE_OK);
	assert_true(object.signed_policy);
	assert_int_equal(object.pcrs, 1u << 7);
	json_object_put(token);
}

/* A missing, foreign or malformed token is a mismatch, and the error names the reason. */
static void test_invalid_tokens(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"\"talos-tpm2\"",
		"{\"type\":\"talos-tpm2\"}",
		"{\"type\":\"talos-tpm2\",\"UserData\":[]}",
		"{\"type\":\"talos-tpm2\",\"UserData\":{}}",
		"{\"type\":7,\"UserData\":{\"sealedData\":\"AQIDBA==\"}}",
		"{\"type\":\"sideroKMS\",\"UserData\":{\"sealedData\":\"\"}}",
		"{\"type\":\"sideroKMS\",\"UserData\":{\"sealedData\":\"AQIDBA\"}}",
		"{\"type\":\"sideroKMS\",\"UserData\":{\"sealedData\":[1,2]}}",
		"{\"type\":\"clevis\",\"UserData\":{\"sealedData\":\"AQIDBA==\"}}",
	};
	static const struct {
		const char *was;
		const char *is;
	} broken[] = {
		{ "\"alg\":\"sha256\"", "\"alg\":\"sha1\"" },
		{ "\"alg\":\"sha256\"", "\"alg\":256" },
		{ "\"pcrs\":[7]", "\"pcrs\":[24]" },
		{ "\"pcrs\":[7]", "\"pcrs\":[-1]" },
		{ "\"pcrs\":[7]", "\"pcrs\":[\"7\"]" },
		{ "\"pcrs\":[7]", "\"pcrs\":7" },
		{ "\"pubkey_pcrs\":[11]", "\"pubkey_pcrs\":[7]" },
		{ "\"pubkey_pcrs\":[11]", "\"pubkey_pcrs\":[11,12]" },
		{ "\"policy_hash\":\"Bw", "\"policy_hash\":\"" },
		{ "\"key_name\"", "\"name_key\"" },
		{ "\"AAIBAg==\"", "\"AAIBAg=\"" },
	};
	struct keys_tpm_object object;
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	struct mortise_error err;
	size_t size;

	(void)state;
	assert_int_equal(volume_token_tpm_read(NULL, &object, &err), MORTISE_E_NO_TOKEN);
	assert_int_equal(volume_token_kms_read(NULL, sealed, &size, &err), MORTISE_E_NO_TOKEN);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct json_object *token = parse(texts[i]);

		if (volume_token_tpm_read(token, &object, &err) != MORTISE_E_NO_TOKEN ||
		    volume_token_kms_read(token, sealed, &size, &err) != MORTISE_E_NO_TOKEN)
			fail_msg("accepted: %s", texts[i]);
		json_object_put(token);
	}
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		char text[sizeof(talos_tpm_112) + 64];
		const char *at = strstr(talos_tpm_112, broken[i].was);
		struct json_object *token;

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - talos_tpm_112), talos_tpm_112,
			 broken[i].is, at + strlen(broken[i].was));
		token = parse(text);
		if (volume_token_tpm_read(token, &object, &err) != MORTISE_E_NO_TOKEN)
			fail_msg("accepted: %s", text);
		json_object_put(token);
	}
}

/* Values larger than their buffers. */
static void test_too_large(void **state)
{
	const size_t length = 4 * (KEYS_KMS_SEALED_MAX / 3 + 2);
	struct json_object *token = parse(talos_kms), *data;
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	char *text = malloc(length + 1);
	size_t size;

	(void)state;
	assert_non_null(text);
	memset(text, 'A', length);
	text[length] = '\0';
	data = luks2_json_get(token, "UserData", json_type_object);
	assert_true(luks2_json_add(data, "sealedData", json_object_new_string(text)));
	assert_int_equal(volume_token_kms_read(token, sealed, &size, NULL), MORTISE_E_NO_TOKEN);
	free(text);
	json_object_put(token);
}

static const char *type_of(struct json_object *metadata, int id)
{
	const char *type = luks2_json_text(luks2_token_get(metadata, id), "type");

	return type ? type : "";
}

/* A sealed key's token replaces another one; a foreign token moves, and is not changed. */
static void test_place(void **state)
{
	struct json_object *metadata =
		parse("{\"tokens\":{\"1\":{\"type\":\"clevis\",\"keyslots\":[\"0\"],\"jwe\":1},"
		      "\"2\":{\"type\":\"talos-tpm2\",\"keyslots\":[]},"
		      "\"31\":{\"type\":\"systemd-recovery\",\"keyslots\":[\"5\"]}}}");

	(void)state;
	assert_true(volume_token_put(metadata, 1, parse(talos_kms)));
	assert_string_equal(type_of(metadata, 1), "sideroKMS");
	assert_string_equal(type_of(metadata, 30), "clevis");
	assert_true(json_object_object_get_ex(luks2_token_get(metadata, 30), "jwe", NULL));
	assert_true(volume_token_put(metadata, 2, parse(talos_kms)));
	assert_string_equal(type_of(metadata, 2), "sideroKMS");
	assert_string_equal(type_of(metadata, 29), "");
	volume_token_drop(metadata, 2);
	assert_string_equal(type_of(metadata, 2), "");
	volume_token_drop(metadata, 30);
	assert_string_equal(type_of(metadata, 30), "clevis");
	assert_int_equal(volume_token_free_id(metadata), 29);
	json_object_put(metadata);
}

static void test_no_place(void **state)
{
	struct json_object *metadata = parse("{\"tokens\":{}}");
	struct json_object *tokens = luks2_json_get(metadata, "tokens", json_type_object);

	(void)state;
	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++)
		assert_true(luks2_json_add_id(tokens, id, parse("{\"type\":\"x\"}")));
	assert_false(volume_token_put(metadata, 1, parse(talos_kms)));
	assert_string_equal(type_of(metadata, 1), "x");
	assert_int_equal(volume_token_free_id(metadata), -1);
	json_object_put(metadata);
}

static void test_pcr_values(void **state)
{
	struct json_object *metadata = parse("{\"config\":{}}");
	struct keys_tpm_object object = { .values_known = 1u << 7 | 1u << 0 }, again = { 0 };

	(void)state;
	memset(object.pcr_values[7], 0x77, KEYS_TPM_DIGEST_SIZE);
	assert_true(
		volume_record_set_pcr_values(metadata, 3, volume_record_pcr_values_new(&object)));
	volume_record_pcr_values(metadata, 3, &again);
	assert_int_equal(again.values_known, object.values_known);
	assert_memory_equal(again.pcr_values[7], object.pcr_values[7], KEYS_TPM_DIGEST_SIZE);
	volume_record_forget_key(metadata, 3);
	volume_record_pcr_values(metadata, 3, &again);
	assert_int_equal(again.values_known, 0);
	json_object_put(metadata);
}

#define HEX32 "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static void test_signatures(void **state)
{
	static const char good[] =
		"{\"sha1\":[],\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32
		"\",\"sig\":\"AQID\"},{\"pcrs\":[4],\"pol\":\"x\"}]}";
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"sha256\":{}}",
		"{\"sha256\":[{\"pcrs\":[11]}]}",
		"{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"00\",\"pol\":\"" HEX32
		"\",\"sig\":\"AQID\"}]}",
		"{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32
		"\",\"sig\":\"\"}]}",
		"{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32
		"\",\"sig\":\"!\"}]}",
		"{\"sha256\":[",
	};
	struct keys_tpm_signed_policy *policy = calloc(1, sizeof(*policy));
	struct mortise_error err;

	(void)state;
	assert_non_null(policy);
	assert_int_equal(volume_signatures_parse(good, strlen(good), policy, &err), MORTISE_OK);
	assert_int_equal(policy->signature_count, 1);
	assert_int_equal(policy->signatures[0].policy[10], 0xaa);
	assert_int_equal(policy->signatures[0].policy[31], 0xff);
	assert_int_equal(policy->signatures[0].signature_size, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (volume_signatures_parse(bad[i], strlen(bad[i]), policy, &err) !=
		    MORTISE_E_SOURCE)
			fail_msg("accepted: %s", bad[i]);
	free(policy);
}

static const char systemd_token[] =
	"{\"type\":\"systemd-tpm2\",\"keyslots\":[\"3\"],\"tpm2-blob\":\"AAIBAgACAwQ=\","
	"\"tpm2-pcrs\":[0,7],\"tpm2-pcr-bank\":\"sha384\",\"tpm2-primary-alg\":\"rsa\","
	"\"tpm2-policy-hash\":\"00112233445566778899aabbccddeeff"
	"00112233445566778899aabbccddeeff\",\"tpm2-pin\":true,\"tpm2_pubkey_pcrs\":[11],"
	"\"tpm2_pubkey\":\"QUJD\"}";

static void test_systemd_token(void **state)
{
	struct json_object *token = json_tokener_parse(systemd_token), *written;
	struct volume_systemd what;
	struct mortise_error err;

	(void)state;
	assert_int_equal(volume_token_systemd_read(token, &what, &err), MORTISE_OK);
	assert_int_equal(what.object.pcrs, 0x81);
	assert_int_equal(what.object.bank, 0xc);
	assert_true(what.object.rsa && what.object.pin && what.object.signed_policy);
	assert_int_equal(what.signed_pcrs, 1 << 11);
	assert_int_equal(what.object.private_size, 4);
	assert_int_equal(what.object.public_size, 4);
	assert_memory_equal(what.pem, "ABC", 3);
	written = volume_token_systemd_new(&what, 3);
	assert_string_equal(json_object_to_json_string_ext(written, JSON_C_TO_STRING_PLAIN),
			    systemd_token);
	json_object_put(written);
	/* The first versions of systemd wrote neither bank nor algorithm. */
	json_object_object_del(token, "tpm2-pcr-bank");
	json_object_object_del(token, "tpm2-primary-alg");
	json_object_object_del(token, "tpm2-pin");
	assert_int_equal(volume_token_systemd_read(token, &what, &err), MORTISE_OK);
	assert_int_equal(what.object.bank, 0xb);
	assert_false(what.object.rsa || what.object.pin);
	json_object_object_add(token, "type", json_object_new_string("systemd-fido2"));
	assert_int_equal(volume_token_systemd_read(token, &what, &err), MORTISE_E_NO_TOKEN);
	assert_int_equal(volume_token_systemd_read(NULL, &what, &err), MORTISE_E_NO_TOKEN);
	json_object_put(token);
}

/* The PIN of systemd's own test vector, and one without salt. */
static void test_systemd_pin(void **state)
{
	const uint8_t salt[] = { 'm', 'y', 's', 'a', 0, 'l', 't' };
	const char text[] = "4wcSvu71XRhy9M/xIGvWZs1850/CFnBbmy994jtCOhs=";
	struct mortise_secret *pin, *auth, *plain;

	(void)state;
	assert_int_equal(mortise_secret_from((const uint8_t *)"\0pass", 5, &pin, NULL), MORTISE_OK);
	assert_int_equal(volume_systemd_pin(pin, salt, sizeof(salt), &auth, NULL), MORTISE_OK);
	mortise_secret_free(&pin);
	assert_int_equal(mortise_secret_from((const uint8_t *)text, strlen(text), &pin, NULL),
			 MORTISE_OK);
	assert_int_equal(volume_systemd_pin(pin, NULL, 0, &plain, NULL), MORTISE_OK);
	assert_true(mortise_secret_equal(auth, plain));
	mortise_secret_free(&pin);
	mortise_secret_free(&auth);
	mortise_secret_free(&plain);
}

/* A sealed key that takes a keyslot over replaces the token of systemd for this keyslot alone. */
static void test_systemd_replaced(void **state)
{
	struct json_object *metadata = json_tokener_parse(
		"{\"tokens\":{\"0\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"]},"
		"\"2\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\",\"4\"]},"
		"\"3\":{\"type\":\"systemd-tpm2\",\"keyslots\":[\"5\"]}}}");

	(void)state;
	assert_int_equal(volume_token_systemd_of(metadata, 1), 0);
	assert_int_equal(volume_token_systemd_of(metadata, 4), -1);
	assert_true(volume_token_put(metadata, 1, json_tokener_parse("{\"type\":\"talos-tpm2\"}")));
	assert_int_equal(volume_token_systemd_of(metadata, 1), -1);
	assert_non_null(luks2_token_get(metadata, 2));
	assert_true(volume_token_put(metadata, 5, json_tokener_parse("{\"type\":\"other\"}")));
	assert_int_equal(volume_token_systemd_of(metadata, 5), 3);
	volume_token_drop(metadata, 4);
	assert_non_null(luks2_token_get(metadata, 2));
	volume_token_drop(metadata, 5);
	assert_null(luks2_token_get(metadata, 3));
	json_object_put(metadata);
}

static void test_too_many_signatures(void **state)
{
	static const char entry[] =
		"{\"pcrs\":[11],\"pkfp\":\"" HEX32 "\",\"pol\":\"" HEX32 "\",\"sig\":\"AQID\"},";
	const size_t count = KEYS_TPM_SIGNATURES_MAX + 1;
	struct keys_tpm_signed_policy *policy = calloc(1, sizeof(*policy));
	char *text = malloc(count * sizeof(entry) + 32), *end = text;

	(void)state;
	assert_non_null(policy);
	assert_non_null(text);
	end += sprintf(end, "{\"sha256\":[");
	for (size_t i = 0; i < count; i++)
		end += sprintf(end, "%s", entry);
	sprintf(end - 1, "]}");
	assert_int_equal(volume_signatures_parse(text, strlen(text), policy, NULL),
			 MORTISE_E_SOURCE);
	assert_int_equal(policy->signature_count, KEYS_TPM_SIGNATURES_MAX);
	free(text);
	free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kms_written_as_talos_does),
		cmocka_unit_test(test_kms_of_full_size),
		cmocka_unit_test(test_tpm_written_as_talos_does),
		cmocka_unit_test(test_tpm_binding),
		cmocka_unit_test(test_old_token_opens_as_7),
		cmocka_unit_test(test_invalid_tokens),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_pcr_values),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_systemd_pin),
		cmocka_unit_test(test_systemd_replaced),
		cmocka_unit_test(test_systemd_token),
		cmocka_unit_test(test_too_many_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
