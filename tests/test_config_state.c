/* SPDX-License-Identifier: MIT */
/*
 * The encryption of STATE in tag 9 of META: writing the same bytes as Talos, in both forms, and
 * parsing them and malformed ones. "upstream" strings are from siderolabs/talos,
 * internal/app/machined/pkg/controllers/block/internal/volumes/encryption_meta_test.go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <json-c/json.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meta/adv.h"
#include "config/volume.h"
#include "tests/meta_volumes.h"

/* The rest of the error and its position depend on the version of json-c. */
#define NOT_JSON "invalid JSON at byte "

#define SECRET	 "open sesame, says the passphrase of this test"

static const char *test_dir;

static const char upstream_legacy[] =
	"{\"EncryptionProvider\":\"\",\"EncryptionKeys\":[{\"KeyStatic\":{\"KeyData\":\"secret\"},"
	"\"KeyNodeID\":null,\"KeyKMS\":null,\"KeySlot\":0,\"KeyTPM\":null},{\"KeyStatic\":null,"
	"\"KeyNodeID\":{},\"KeyKMS\":null,\"KeySlot\":0,\"KeyTPM\":null}],\"EncryptionCipher\":"
	"\"aes-xts-plain64\",\"EncryptionKeySize\":0,\"EncryptionBlockSize\":0,"
	"\"EncryptionPerfOptions\":null}";

static const char upstream_modern[] =
	"{\"EncryptionProvider\":\"luks2\",\"EncryptionKeys\":[{\"KeySlot\":0,\"KeyStatic\":"
	"{\"KeyData\":\"secret\"},\"KeyNodeID\":null,\"KeyKMS\":null,\"KeyTPM\":null,"
	"\"KeyLockToSTATE\":null},{\"KeySlot\":0,\"KeyStatic\":null,\"KeyNodeID\":{},\"KeyKMS\":"
	"null,"
	"\"KeyTPM\":null,\"KeyLockToSTATE\":null}],\"EncryptionCipher\":\"aes-xts-plain64\","
	"\"EncryptionKeySize\":0,\"EncryptionBlockSize\":0,\"EncryptionPerfOptions\":null,"
	"\"EncryptionAllowDiscards\":null}";

#define MODERN_HEAD "{\"EncryptionProvider\":\"luks2\",\"EncryptionKeys\":["
#define MODERN_TAIL                                                                      \
	"],\"EncryptionCipher\":\"\",\"EncryptionKeySize\":0,\"EncryptionBlockSize\":0," \
	"\"EncryptionPerfOptions\":null,\"EncryptionAllowDiscards\":null}"
#define LEGACY_TAIL                                                                      \
	"],\"EncryptionCipher\":\"\",\"EncryptionKeySize\":0,\"EncryptionBlockSize\":0," \
	"\"EncryptionPerfOptions\":null}"
#define NODE_ID_0                                                                             \
	"{\"KeySlot\":0,\"KeyStatic\":null,\"KeyNodeID\":{},\"KeyKMS\":null,\"KeyTPM\":null," \
	"\"KeyLockToSTATE\":null}"

static void assert_json(const struct mortise_secret *json, const char *expected)
{
	char *text;

	assert_non_null(json);
	text = strndup((const char *)mortise_secret_data(json), mortise_secret_size(json));
	assert_string_equal(text, expected);
	assert_int_equal(mortise_secret_size(json), strlen(expected));
	free(text);
}

/* Calls the internal writer, because the parser rejects two keys in one slot. */
static void assert_written(const char *yaml, enum config_origin form, const char *expected)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_tree *tree = config_tree_parse(yaml, strlen(yaml), &log);
	struct mortise_secret *json = config_state_json(&log, tree->document[0], form);

	assert_int_equal(log.errors, 0);
	assert_json(json, expected);
	mortise_secret_free(&json);
	config_tree_free(tree);
	config_diagnostics_clear(&diagnostics);
}

static void test_upstream_written(void **state)
{
	static const char keys[] =
		"cipher: aes-xts-plain64\nkeys:\n- static: {passphrase: secret}\n"
		"- nodeID: {}\n";
	char modern[sizeof(keys) + 32];

	(void)state;
	assert_written(keys, CONFIG_ORIGIN_MACHINE, upstream_legacy);
	snprintf(modern, sizeof(modern), "provider: LUKS2\n%s", keys);
	assert_written(modern, CONFIG_ORIGIN_DOCUMENT, upstream_modern);
}

static struct config *yaml_parse(const char *yaml, size_t size)
{
	struct config *config;
	struct config_diagnostics diagnostics;
	struct mortise_error err;

	if (config_parse(yaml, size, "yaml", &config, &diagnostics, &err))
		fail_msg("%s\n%s", yaml, err.text);
	config_diagnostics_clear(&diagnostics);
	return config;
}

#define VOLUME(encryption) \
	"apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\nencryption: {" encryption "}\n"
#define MACHINE(encryption) \
	"version: v1alpha1\nmachine: {systemDiskEncryption: {state: {" encryption "}}}\n"

/* Output of Go's encoding/json for the structs of these documents. */
static const struct {
	const char *yaml;
	const char *json;
} forms[] = {
	{ "", "null" },
	{ VOLUME(""), "null" },
	{ VOLUME("provider: none, cipher: aes-xts-plain64"), "null" },
	{ "kind: UserVolumeConfig\napiVersion: v1alpha1\nname: STATE\n"
	  "encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}\n",
	  "null" },
	{ VOLUME("provider: luks2, keys: [{slot: 0, nodeID: {}}]"),
	  MODERN_HEAD NODE_ID_0 MODERN_TAIL },
	/* A missing provider, which means luks2, is written as luks2. */
	{ VOLUME("keys: [{nodeID: {}, static: , lockToState: null}]"),
	  MODERN_HEAD NODE_ID_0 MODERN_TAIL },
	/* In the order of the document: keys and PCRs. */
	{ VOLUME("provider: luks2, keys: [{slot: 7, kms: {endpoint: 'https://a?b&c'}}, "
		 "{slot: 1, tpm: {}}, {slot: 0, tpm: {options: {pcrs: [11, 0, 7, 0]}, "
		 "checkSecurebootStatusOnEnroll: yes}}, {slot: 31, tpm: {options: {}}}, {slot: 2, "
		 "tpm: {options: {pcrs: []}, checkSecurebootStatusOnEnroll: false}}], "
		 "cipher: 'xchacha12,aes-adiantum-plain64', keySize: 256, blockSize: 4096, "
		 "options: [same_cpu_crypt, no_read_workqueue], allowDiscards: true"),
	  MODERN_HEAD
	  "{\"KeySlot\":7,\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":"
	  "{\"KMSEndpoint\":\"https://a?b\\u0026c\"},\"KeyTPM\":null,\"KeyLockToSTATE\":null},"
	  "{\"KeySlot\":1,\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":null,\"KeyTPM\":"
	  "{\"TPMOptions\":null,\"TPMCheckSecurebootStatusOnEnroll\":null},\"KeyLockToSTATE\":null}"
	  ","
	  "{\"KeySlot\":0,\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":null,\"KeyTPM\":"
	  "{\"TPMOptions\":{\"PCRs\":[11,0,7,0]},\"TPMCheckSecurebootStatusOnEnroll\":true},"
	  "\"KeyLockToSTATE\":null},"
	  "{\"KeySlot\":31,\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":null,\"KeyTPM\":"
	  "{\"TPMOptions\":{\"PCRs\":null},\"TPMCheckSecurebootStatusOnEnroll\":null},"
	  "\"KeyLockToSTATE\":null},"
	  "{\"KeySlot\":2,\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":null,\"KeyTPM\":"
	  "{\"TPMOptions\":{\"PCRs\":[]},\"TPMCheckSecurebootStatusOnEnroll\":false},"
	  "\"KeyLockToSTATE\":null}"
	  "],\"EncryptionCipher\":\"xchacha12,aes-adiantum-plain64\",\"EncryptionKeySize\":256,"
	  "\"EncryptionBlockSize\":4096,\"EncryptionPerfOptions\":[\"same_cpu_crypt\","
	  "\"no_read_workqueue\"],\"EncryptionAllowDiscards\":true}" },
	{ VOLUME("provider: luks2, keys: [{slot: 0, nodeID: {}, lockToSTATE: false}], options: [], "
		 "allowDiscards: off"),
	  MODERN_HEAD
	  "{\"KeySlot\":0,\"KeyStatic\":null,\"KeyNodeID\":{},\"KeyKMS\":null,\"KeyTPM\":null,"
	  "\"KeyLockToSTATE\":false}],\"EncryptionCipher\":\"\",\"EncryptionKeySize\":0,"
	  "\"EncryptionBlockSize\":0,\"EncryptionPerfOptions\":[],"
	  "\"EncryptionAllowDiscards\":false}" },
	/* The older form keeps the spelling of the provider. */
	{ MACHINE("provider: LUKS2, keys: [{slot: 1, static: {passphrase: supersecret}}, {slot: 2, "
		  "tpm: {}}]"),
	  "{\"EncryptionProvider\":\"LUKS2\",\"EncryptionKeys\":["
	  "{\"KeyStatic\":{\"KeyData\":\"supersecret\"},\"KeyNodeID\":null,\"KeyKMS\":null,"
	  "\"KeySlot\":1,\"KeyTPM\":null},{\"KeyStatic\":null,\"KeyNodeID\":null,\"KeyKMS\":null,"
	  "\"KeySlot\":2,\"KeyTPM\":{\"TPMCheckSecurebootStatusOnEnroll\":null}}" LEGACY_TAIL },
	/* With a VolumeConfig without encryption, the machine configuration applies. */
	{ MACHINE("keys: [{nodeID: {}}], options: []") "---\n" VOLUME("provider: none"),
	  "{\"EncryptionProvider\":\"\",\"EncryptionKeys\":[{\"KeyStatic\":null,\"KeyNodeID\":{},"
	  "\"KeyKMS\":null,\"KeySlot\":0,\"KeyTPM\":null}],\"EncryptionCipher\":\"\","
	  "\"EncryptionKeySize\":0,\"EncryptionBlockSize\":0,\"EncryptionPerfOptions\":[]}" },
	/* Escapes of Go 1.22 and later; é, DEL, U+2027 and U+1F600 are not escaped. */
	{ VOLUME("provider: luks2, keys: [{slot: 0, static: {passphrase: "
		 "\"<a>&\\\"\\\\/'\\0\\x01\\b\\t\\n\\x0b\\f\\r\\x1b\\x1f\\x7f\\xe9\\x85"
		 "\\u2027\\u2028\\u2029\\u202a\\u20a8\\U0001f600\"}}]"),
	  MODERN_HEAD
	  "{\"KeySlot\":0,\"KeyStatic\":{\"KeyData\":\"\\u003ca\\u003e\\u0026\\\"\\\\/"
	  "'\\u0000\\u0001"
	  "\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f\x7f\xc3\xa9\xc2\x85\xe2\x80\xa7\\u2028\\u2029"
	  "\xe2\x80\xaa\xe2\x82\xa8\xf0\x9f\x98\x80\"},\"KeyNodeID\":null,\"KeyKMS\":null,"
	  "\"KeyTPM\":null,\"KeyLockToSTATE\":null}" MODERN_TAIL },
};

static struct config *state_parse(const void *json, size_t size)
{
	struct config *config = NULL;
	struct mortise_error err;

	if (config_state_parse(json, size, "META", &config, &err))
		fail_msg("%.*s\n%s", (int)size, (const char *)json, err.text);
	assert_non_null(config);
	assert_int_equal(config->volume_count, 1);
	return config;
}

/* Parsing the written bytes gives the same volume. */
static void assert_round_trip(struct config *config)
{
	const size_t size = mortise_secret_size(config->state_json);
	struct config *again = state_parse(mortise_secret_data(config->state_json), size);

	assert_int_equal(config_add_state(config, NULL), MORTISE_OK);
	/* META does not name the file system. */
	again->volumes[0].filesystem = config->volumes[0].filesystem;
	assert_true(same_volume(&config->volumes[0], &again->volumes[0]));
	assert_true(mortise_secret_equal(config->state_json, again->state_json));
	config_free(again);
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct config *config = yaml_parse(forms[i].yaml, strlen(forms[i].yaml));

		assert_json(config->state_json, forms[i].json);
		assert_round_trip(config);
		config_free(config);
	}
}

static void file_round_trip(const char *path)
{
	struct config *config;
	FILE *stream = fopen(path, "re");
	static char text[1u << 16];
	size_t size;

	assert_non_null(stream);
	size = fread(text, 1, sizeof(text), stream);
	fclose(stream);
	config = yaml_parse(text, size);
	assert_round_trip(config);
	config_free(config);
}

static void test_good_files(void **state)
{
	char path[4096];
	struct dirent **entries;
	int count, checked = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/config/good", test_dir);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/config/good/%s", test_dir, entries[i]->d_name);
		if (strstr(path, ".yaml")) {
			file_round_trip(path);
			checked++;
		}
		free(entries[i]);
	}
	free(entries);
	assert_true(checked > 15);
}

/* The upstream strings with a slot for each key. */
static void test_upstream_read(void **state)
{
	static const char *const texts[] = { upstream_legacy, upstream_modern };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text = strdup(texts[i]);
		struct config *config;
		struct mortise_error err;
		const struct config_volume *volume;

		assert_int_equal(config_state_parse(text, strlen(text), "META", &config, &err),
				 MORTISE_E_CONFIG);
		assert_string_equal(err.text, "META: duplicate key slot 0");
		assert_null(config);
		strstr(text, "\"KeySlot\":0")[10] = '9';
		config = state_parse(text, strlen(text));
		assert_json(config->state_json, text);
		volume = &config->volumes[0];
		assert_string_equal(volume->id, "STATE");
		assert_true(volume->encrypted);
		assert_string_equal(volume->cipher, "aes-xts-plain64");
		assert_int_equal(volume->key_size, 64);
		assert_int_equal(volume->key_count, 2);
		assert_int_equal(volume->keys[0].kind, CONFIG_KEY_NODE_ID);
		assert_int_equal(volume->keys[1].slot, 9);
		assert_int_equal(mortise_secret_size(volume->keys[1].passphrase), 6);
		assert_memory_equal(mortise_secret_data(volume->keys[1].passphrase), "secret", 6);
		config_free(config);
		free(text);
	}
}

static void assert_plain_state(const struct config_volume *volume)
{
	assert_string_equal(volume->name, "STATE");
	assert_string_equal(volume->id, "STATE");
	assert_int_equal(volume->kind, CONFIG_VOLUME_SYSTEM);
	assert_false(volume->encrypted);
	assert_int_equal(volume->key_count, 0);
	assert_int_equal(volume->filesystem, CONFIG_FS_XFS);
	assert_string_equal(volume->mount_point, "/system/state");
	assert_int_equal(volume->mount_mode, 0700);
	assert_true(volume->mount_secure);
	assert_true(volume->mount_noexec);
	assert_false(volume->mount_noatime);
}

static void test_not_encrypted(void **state)
{
	static const char *const texts[] = {
		"",
		"null",
		" null\n",
		"\t\r\n",
		"{\"EncryptionProvider\":\"none\",\"EncryptionKeys\":null}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *config = state_parse(texts[i], strlen(texts[i]));

		assert_plain_state(&config->volumes[0]);
		assert_json(config->state_json, i < 4 ? "null" : texts[i]);
		config_free(config);
	}
}

/* As in Go: names of members in any case, unknown members ignored, null as if absent. */
static void test_leniency(void **state)
{
	static const char text[] =
		" {\"x\":[{\"y\":\"" SECRET "\"}],\"encryptionkeys\":[{\"KEYSLOT\":3,"
		"\"KeyTPM\":{\"TPMOptions\":null,\"z\":1},\"KeyLockToSTATE\":null,\"\\u0000\":0,"
		"\"KeyNodeID\":null}],\"EncryptionProvider\":null,\"EncryptionCipher\":null,"
		"\"EncryptionKeySize\":null,\"EncryptionBlockSize\":null,"
		"\"EncryptionPerfOptions\":null,\"EncryptionAllowDiscards\":null}\n";
	struct config *config = state_parse(text, sizeof(text) - 1);
	const struct config_volume *volume = &config->volumes[0];

	(void)state;
	assert_true(volume->encrypted);
	assert_int_equal(volume->key_count, 1);
	assert_int_equal(volume->keys[0].slot, 3);
	assert_int_equal(volume->keys[0].kind, CONFIG_KEY_TPM);
	assert_int_equal(volume->keys[0].tpm_pcr_count, 2);
	assert_int_equal(volume->keys[0].tpm_pcrs[0], 7);
	assert_int_equal(volume->keys[0].tpm_pcrs[1], 15);
	assert_false(volume->keys[0].tpm_pcrs_named);
	config_free(config);
}

#define KEYS(keys) "{\"EncryptionKeys\":[" keys "]}"
#define STATIC	   "\"KeyStatic\":{\"KeyData\":\"" SECRET "\"}"

static const struct {
	const char *json;
	const char *error;
} hostile[] = {
	{ "nul", "the JSON is not an object" },
	{ "5", "the JSON is not an object" },
	{ "[{}]", "the JSON is not an object" },
	{ "\"" SECRET "\"", "the JSON is not an object" },
	{ "{", "the JSON is truncated" },
	{ "{\"EncryptionKeys\":[{" STATIC, "the JSON is truncated" },
	{ "{} {}", NOT_JSON },
	{ "{\"a\":'b'}", NOT_JSON },
	{ "{\"EncryptionKeys\":[{" STATIC "}],}", NOT_JSON },
	{ "{/**/}", NOT_JSON },
	{ "{\"a\":\"\xff\"}", NOT_JSON },
	{ "{}", "encryption keys are required" },
	{ "{\"EncryptionProvider\":\"luks2\"}", "encryption keys are required" },
	{ "{\"EncryptionProvider\":\"luks1\",\"EncryptionKeys\":[{\"KeyNodeID\":{}}]}",
	  "unsupported encryption provider: luks1" },
	{ "{\"EncryptionProvider\":\"none\",\"EncryptionKeys\":[{\"KeyNodeID\":{}}]}",
	  "unsupported encryption provider: none" },
	{ "{\"EncryptionProvider\":2}", "EncryptionProvider must be of type string, not int" },
	{ "{\"EncryptionKeys\":{}}", "EncryptionKeys must be of type array, not object" },
	{ KEYS("null"), "\"entry of keys\" must be a mapping" },
	{ KEYS("{}"), "at least one encryption key type must be specified for slot 0" },
	{ KEYS("[" STATIC "]"), NOT_JSON },
	{ KEYS("7"), "EncryptionKeys must be of type object, not int" },
	{ KEYS("{\"KeySlot\":\"0\"}"), "KeySlot must be of type int, not string" },
	{ KEYS("{\"KeySlot\":1.5}"), "KeySlot must be of type int, not double" },
	{ KEYS("{\"KeySlot\":-1,\"KeyNodeID\":{}}"), "key slot -1 is out of range (0-31)" },
	{ KEYS("{\"KeySlot\":99999999999999999999,\"KeyNodeID\":{}}"),
	  "\"slot\" must be an integer without quotes" },
	{ KEYS("{\"KeyStatic\":\"" SECRET "\"}"), "KeyStatic must be of type object, not string" },
	{ KEYS("{\"KeyStatic\":{\"KeyData\":[\"" SECRET "\"]}}"),
	  "KeyData must be of type string, not array" },
	{ KEYS("{\"KeyStatic\":{\"KeyData\":5}}"), "KeyData must be of type string, not int" },
	{ KEYS("{\"KeyStatic\":{}}"), "static passphrase is empty" },
	{ KEYS("{" STATIC ",\"KeyNodeID\":{}}"),
	  "slot 0 has several key types (static, nodeID), of which Talos uses only static; give "
	  "each its own slot" },
	{ KEYS("{\"KeyNodeID\":{},\"keynodeid\":{}}"), "\"nodeID\" is given twice" },
	{ KEYS("{\"KeyTPM\":{\"TPMOptions\":{\"PCRs\":[24]}}}"),
	  "TPM PCR 24 is out of range (0-23)" },
	{ KEYS("{\"KeyTPM\":{\"TPMOptions\":{\"PCRs\":[\"7\"]}}}"),
	  "PCRs must be of type int, not string" },
	{ KEYS("{\"KeyNodeID\":{},\"KeyLockToSTATE\":true}"),
	  "state-locked key is not allowed for the \"STATE\" volume" },
	{ KEYS("{\"KeyNodeID\":{}},{\"KeyNodeID\":{}},{\"KeySlot\":0,\"KeyNodeID\":{}}"),
	  "duplicate key slot 0 (2 errors in all)" },
	{ "{\"EncryptionKeys\":[{\"KeyNodeID\":{}}],\"EncryptionPerfOptions\":[1]}",
	  "EncryptionPerfOptions must be of type string, not int" },
	{ "{\"EncryptionKeys\":[{\"KeyNodeID\":{}}],\"EncryptionAllowDiscards\":\"true\"}",
	  "EncryptionAllowDiscards must be of type boolean, not string" },
	{ "{\"EncryptionKeys\":[{\"KeyNodeID\":{}}],\"EncryptionCipher\":\"a\\u0000b\"}",
	  "\"cipher\" must be text without NUL characters" },
	{ "{\"EncryptionKeys\":[{\"KeyNodeID\":{}}],\"EncryptionBlockSize\":100}",
	  "invalid blockSize 100; use 512, 1024, 2048, 4096, or 0 to choose by the device" },
};

static void assert_refused(const char *json, size_t size, const char *error)
{
	char expected[MORTISE_ERROR_TEXT];
	struct config *config;
	struct mortise_error err;

	snprintf(expected, sizeof(expected), "META: %s", error);
	if (config_state_parse(json, size, "META", &config, &err) != MORTISE_E_CONFIG || config)
		fail_msg("%s is accepted", json);
	assert_null(strstr(err.text, "sesame"));
	if (strcmp(error, NOT_JSON) == 0)
		err.text[strlen(expected)] = 0;
	assert_string_equal(err.text, expected);
}

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		assert_refused(hostile[i].json, strlen(hostile[i].json), hostile[i].error);
}

/* The last of two equal members is used, as in Go; json-c treats them as one member. */
static void test_duplicate_members(void **state)
{
	static const char text[] = KEYS("{\"KeySlot\":1,\"KeyNodeID\":{},\"KeySlot\":2}");
	struct config *config = state_parse(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(config->volumes[0].keys[0].slot, 2);
	config_free(config);
}

static void test_bounds(void **state)
{
	const size_t size = META_ADV_CAPACITY + 1;
	static const char head[] = "{\"EncryptionPerfOptions\":[";
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	text[0] = '{';
	text[size - 1] = '}';
	assert_refused(text, size, "larger than the 262104 bytes that META can hold");
	assert_refused(text + 1, size - 1, "the JSON is not an object");
	text[size - 2] = '}';
	assert_refused(text, size - 1, "encryption keys are required");

	memset(text, '[', size);
	memcpy(text, "{\"a\":", 5);
	assert_refused(text, size - 1, NOT_JSON);

	memcpy(text, head, sizeof(head) - 1);
	for (size_t i = sizeof(head) - 1; i + 3 <= size; i += 3)
		memcpy(text + i, "\"\",", 3);
	memcpy(text + sizeof(head) - 1 + 9003, "\"\"]}", 4);
	assert_refused(text, sizeof(head) - 1 + 9003 + 4,
		       "encryption keys are required (3003 errors in all)");
	memcpy(text + sizeof(head) - 1 + 210000, "\"\"]}", 4);
	memcpy(text + sizeof(head) - 1 + 9003, "\"\",\"", 4);
	assert_refused(text, sizeof(head) - 1 + 210000 + 4,
		       "invalid JSON at byte 12308: too many values");
	free(text);
}

static void test_add_state(void **state)
{
	static const char user[] = "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\n";
	struct config *config = yaml_parse("", 0);

	(void)state;
	assert_int_equal(config_add_state(config, NULL), MORTISE_OK);
	assert_int_equal(config->volume_count, 1);
	assert_plain_state(&config->volumes[0]);
	assert_int_equal(config_add_state(config, NULL), MORTISE_OK);
	assert_int_equal(config->volume_count, 1);
	config_free(config);

	config = yaml_parse(user, sizeof(user) - 1);
	assert_int_equal(config_add_state(config, NULL), MORTISE_OK);
	assert_int_equal(config->volume_count, 2);
	assert_plain_state(&config->volumes[0]);
	assert_string_equal(config->volumes[1].id, "u-data");
	config_free(config);
}

#ifdef WATCH_FREE
static bool watched;
static size_t leaks;
static long held;      /* number of allocations in use */
static size_t fail_at; /* which of the next allocations fails; 0: none */

void __libc_free(void *memory);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

static bool refused(void)
{
	return fail_at && --fail_at == 0;
}

static void *given(void *memory)
{
	held += memory != NULL;
	return memory;
}

void *malloc(size_t size)
{
	return refused() ? NULL : given(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return refused() ? NULL : given(__libc_calloc(count, size));
}

/* Replaces free(3), also for json-c and libyaml: freed memory must not contain the passphrase. */
void free(void *memory)
{
	if (watched && memory && memmem(memory, malloc_usable_size(memory), "sesame", 6))
		leaks++;
	held -= memory != NULL;
	__libc_free(memory);
}

void *realloc(void *memory, size_t size)
{
	size_t used = memory ? malloc_usable_size(memory) : 0;
	void *grown = malloc(size);

	if (grown && memory) {
		memcpy(grown, memory, used < size ? used : size);
		free(memory);
	}
	return grown;
}

static size_t leaks_of(const char *json)
{
	struct config *config;

	leaks = 0;
	watched = true;
	(void)!config_state_parse(json, strlen(json), "META", &config, NULL);
	config_free(config);
	watched = false;
	return leaks;
}

static void test_wiped(void **state)
{
	(void)state;
	assert_int_equal(leaks_of(KEYS("{" STATIC "}")), 0);
	assert_int_equal(leaks_of("{\"x\":{\"y\":[\"" SECRET "\"]}}"), 0);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		assert_int_equal(leaks_of(hostile[i].json), 0);
	/* Check that memory freed by json-c is watched. */
	leaks = 0;
	watched = true;
	json_object_put(json_object_new_string(SECRET));
	watched = false;
	assert_int_equal(leaks, 1);
}

/*
 * Returns true if every allocation succeeded. If one fails, the result must be an error without a
 * configuration, or the complete configuration, as vasprintf(3) handles a failure itself. JSON
 * cannot be tested this way: json-c 0.16 does not check the result of strdup(3).
 */
static bool parsed_with_refusal(const char *text, const char *json, size_t at)
{
	struct config_diagnostics diagnostics;
	struct mortise_error err = { 0 };
	struct config *config;
	const long before = held;
	enum mortise_code code;
	bool granted;

	fail_at = at;
	code = config_parse(text, strlen(text), "yaml", &config, &diagnostics, &err);
	granted = fail_at > 0;
	fail_at = 0;
	if (code == MORTISE_OK)
		assert_json(config->state_json, json);
	else if (code != MORTISE_E_MEMORY || config || granted)
		fail_msg("allocation %zu failed: code %d: %s", at, code, err.text);
	config_free(config);
	config_diagnostics_clear(&diagnostics);
	assert_int_equal(held, before);
	return granted;
}

static void test_no_memory(void **state)
{
	size_t refusals = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t at = 1;

		while (!parsed_with_refusal(forms[i].yaml, forms[i].json, at))
			at++;
		refusals += at;
	}
	assert_true(refusals > 500);
}
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upstream_written),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_upstream_read),
		cmocka_unit_test(test_not_encrypted),
		cmocka_unit_test(test_leniency),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_duplicate_members),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_add_state),
#ifdef WATCH_FREE
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_no_memory),
#endif
	};

#ifdef MORTISE_TEST_DIR
	test_dir = MORTISE_TEST_DIR;
#endif
	if (argc > 1)
		test_dir = argv[1];
	if (!test_dir) {
		fprintf(stderr, "usage: %s TEST_DIR\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
