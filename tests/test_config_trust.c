/* SPDX-License-Identifier: MIT */
/*
 * The trust file and mortise.trust=. config/trust/bad/NAME.yaml must give exactly the error in its
 * first line ("# LINE:COLUMN: text", or "#  text" if it concerns the whole file).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/trust.h"

#define BAD_FILES_MIN 19u
#define ALL_KINDS     0xfu
#define KIND(k)	      (1u << CONFIG_KEY_##k)

/* Reads a file of config/trust into a buffer of the exact size. */
static char *file_read(const char *folder, const char *name, size_t *size)
{
	char path[4096];
	FILE *stream;
	char *text;

	snprintf(path, sizeof(path), MORTISE_TEST_DIR "/config/trust/%s/%s", folder, name);
	stream = fopen(path, "rb");
	if (!stream)
		fail_msg("cannot open %s", path);
	fseek(stream, 0, SEEK_END);
	*size = (size_t)ftell(stream);
	rewind(stream);
	text = malloc(*size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, *size, stream), *size);
	text[*size] = '\0';
	fclose(stream);
	return text;
}

static struct config_trust *good_read(const char *name)
{
	struct config_trust *trust = NULL;
	struct mortise_error err = { 0 };
	size_t size;
	char *text = file_read("good", name, &size);

	if (config_trust_parse(text, size, name, &trust, &err) != MORTISE_OK)
		fail_msg("%s", err.text);
	free(text);
	return trust;
}

static struct config_trust *words_read(const char *words)
{
	struct config_trust *trust = NULL;
	struct mortise_error err = { 0 };

	if (config_trust_parse_command_line(words, strlen(words), &trust, &err) != MORTISE_OK)
		fail_msg("%s: %s", words, err.text);
	return trust;
}

static bool bad_check(const char *name)
{
	struct config_trust *trust = (struct config_trust *)1;
	struct mortise_error err = { 0 };
	char expected[MORTISE_ERROR_TEXT];
	size_t size;
	char *text = file_read("bad", name, &size), *line = text + 2;
	enum mortise_code code = config_trust_parse(text, size, name, &trust, &err);

	line[strcspn(line, "\n")] = '\0';
	snprintf(expected, sizeof(expected), "%s:%s", name, line);
	free(text);
	if (code == MORTISE_E_CONFIG && !trust && !strcmp(err.text, expected))
		return true;
	print_error("got      %s\nexpected %s\n", err.text, expected);
	return false;
}

static void bad_files_are_refused(void **state)
{
	DIR *directory = opendir(MORTISE_TEST_DIR "/config/trust/bad");
	struct dirent *entry;
	unsigned files = 0;
	bool good = true;

	(void)state;
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		good &= bad_check(entry->d_name);
		files++;
	}
	closedir(directory);
	assert_true(good);
	assert_in_range(files, BAD_FILES_MIN, UINT_MAX);
}

static void all_members_are_read(void **state)
{
	struct config_trust *trust = good_read("all.yaml");

	(void)state;
	assert_string_equal(trust->source, "all.yaml");
	assert_true(trust->state_encrypted);
	assert_int_equal(trust->state_keys, KIND(TPM) | KIND(NODE_ID));
	assert_true(trust->headers_sealed);
	assert_true(trust->kms_endpoints[0].given);
	assert_int_equal(trust->kms_endpoints[0].count, 2);
	assert_string_equal(trust->kms_endpoints[0].text[0], "https://kms.example.com:4050");
	assert_true(trust->kms_insecure);
	assert_string_equal(trust->kms_ca, "/etc/mortise/kms/ca.pem");
	assert_true(trust->meta_node_uuid);
	assert_int_equal(trust->node_id_count, 2);
	assert_int_equal(trust->node_ids[0], CONFIG_NODE_DEVICE_TREE);
	assert_int_equal(trust->node_ids[1], CONFIG_NODE_SMBIOS);
	config_trust_free(trust);
}

static void defaults_require_and_permit_nothing(void **state)
{
	static const char *const names[] = { "none.yaml", "defaults.yaml" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct config_trust *trust = i < 2 ? good_read(names[i]) : config_trust_new();

		assert_string_equal(trust->source, i == 1 ? names[i] : "");
		assert_false(trust->state_encrypted);
		assert_int_equal(trust->state_keys, ALL_KINDS);
		assert_false(trust->headers_sealed);
		assert_false(trust->kms_endpoints[0].given);
		assert_false(trust->kms_insecure);
		assert_null(trust->kms_ca);
		assert_false(trust->meta_node_uuid);
		assert_int_equal(trust->node_id_count, 1);
		assert_int_equal(trust->node_ids[0], CONFIG_NODE_SMBIOS);
		config_trust_free(trust);
	}
}

static void keys_imply_encryption(void **state)
{
	struct config_trust *trust = good_read("keys-alone.yaml");

	(void)state;
	assert_true(trust->state_encrypted);
	assert_int_equal(trust->state_keys, KIND(KMS));
	config_trust_free(trust);
}

static void empty_list_permits_no_kms(void **state)
{
	struct config_trust *trust = good_read("no-kms.yaml");

	(void)state;
	assert_true(trust->kms_endpoints[0].given);
	assert_int_equal(trust->kms_endpoints[0].count, 0);
	assert_string_equal(trust->source, "no-kms.yaml");
	config_trust_free(trust);
}

static void command_line_has_the_same_members(void **state)
{
	struct config_trust *trust = words_read(
		"root=/dev/vda quiet "
		"mortise.trust=state.encrypted,state.keys=tpm+nodeID,headers=sealed "
		"mortise.trustworthy=no "
		"\"mortise.trust=kms.endpoint=https://a,kms.endpoint=https://b\""
		" mortise.trust=kms.insecure=false,\"kms.ca=/a b\",meta.node-uuid=true\n");

	(void)state;
	assert_string_equal(trust->source, "the kernel command line");
	assert_true(trust->state_encrypted);
	assert_int_equal(trust->state_keys, KIND(TPM) | KIND(NODE_ID));
	assert_true(trust->headers_sealed);
	assert_int_equal(trust->kms_endpoints[0].count, 2);
	assert_string_equal(trust->kms_endpoints[0].text[1], "https://b");
	assert_false(trust->kms_insecure);
	assert_string_equal(trust->kms_ca, "/a b");
	assert_true(trust->meta_node_uuid);
	config_trust_free(trust);
	trust = words_read("root=/dev/vda xmortise.trust=nonsense mortise.trusts=nonsense");
	assert_string_equal(trust->source, "");
	config_trust_free(trust);
}

static void bad_words_are_refused(void **state)
{
	static const char unknown[] = "; use state.encrypted, state.keys, headers, kms.endpoint, "
				      "kms.insecure, kms.ca, meta.node-uuid or node-id";
	static const struct {
		const char *words;
		const char *why;
	} cases[] = {
		{ "mortise.trust", "mortise.trust has no value" },
		{ "mortise.trust=", "mortise.trust has no value" },
		{ "mortise.trust=sealed", "unknown word \"sealed\" in mortise.trust" },
		{ "mortise.trust=headers=sealed,", "unknown word \"\" in mortise.trust" },
		{ "mortise.trust=headers", "\"headers\" has no value in mortise.trust" },
		{ "mortise.trust=state.keys=", "\"state.keys\" has no value in mortise.trust" },
		{ "mortise.trust=state.keys=tpm+",
		  "unknown kind of key \"\"; use static, nodeID, kms or tpm" },
		{ "mortise.trust=state.keys=tpm,nodeID",
		  "unknown word \"nodeID\" in mortise.trust" },
		{ "mortise.trust=state.encrypted=1", "\"state.encrypted\" must be true or false" },
		{ "mortise.trust=kms.insecure mortise.trust=kms.insecure=false",
		  "\"kms.insecure\" is given twice in mortise.trust" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_trust *trust = NULL;
		struct mortise_error err = { 0 };
		char expected[MORTISE_ERROR_TEXT];

		assert_int_equal(config_trust_parse_command_line(
					 cases[i].words, strlen(cases[i].words), &trust, &err),
				 MORTISE_E_CONFIG);
		assert_null(trust);
		snprintf(expected, sizeof(expected), "the kernel command line: %s%s", cases[i].why,
			 strstr(cases[i].why, "unknown word") ? unknown : "");
		assert_string_equal(err.text, expected);
	}
}

/* Joins a good file and words; the caller frees the result. */
static struct config_trust *join(const char *name, const char *words)
{
	struct config_trust *trust = good_read(name), *from = words_read(words);
	struct mortise_error err = { 0 };

	if (config_trust_join(trust, from, &err) != MORTISE_OK)
		fail_msg("%s", err.text);
	config_trust_free(from);
	return trust;
}

static void stricter_member_of_each_source_holds(void **state)
{
	struct config_trust *trust = join("all.yaml", "mortise.trust=state.keys=tpm+kms,"
						      "headers=adopt,kms.insecure=false,"
						      "kms.endpoint=https://b,meta.node-uuid=false,"
						      "node-id=machine-id+smbios");

	(void)state;
	assert_string_equal(trust->source, "all.yaml and the kernel command line");
	assert_true(trust->state_encrypted);
	assert_int_equal(trust->state_keys, KIND(TPM));
	assert_true(trust->headers_sealed);
	assert_int_equal(trust->kms_endpoints[0].count, 2);
	assert_int_equal(trust->kms_endpoints[1].count, 1);
	assert_false(trust->kms_insecure);
	assert_false(trust->meta_node_uuid);
	assert_string_equal(trust->kms_ca, "/etc/mortise/kms/ca.pem");
	assert_int_equal(trust->node_id_count, 1);
	assert_int_equal(trust->node_ids[0], CONFIG_NODE_SMBIOS);
	config_trust_free(trust);

	trust = join("keys-alone.yaml", "mortise.trust=node-id=machine-id+device-tree");
	assert_int_equal(trust->node_id_count, 2);
	assert_int_equal(trust->node_ids[0], CONFIG_NODE_MACHINE_ID);
	assert_int_equal(trust->node_ids[1], CONFIG_NODE_DEVICE_TREE);
	config_trust_free(trust);

	trust = join("defaults.yaml", "mortise.trust=state.encrypted,headers=sealed,kms.insecure,"
				      "kms.ca=/ca.pem,meta.node-uuid");
	assert_true(trust->state_encrypted);
	assert_true(trust->headers_sealed);
	assert_false(trust->kms_insecure);
	assert_false(trust->meta_node_uuid);
	assert_string_equal(trust->kms_ca, "/ca.pem");
	config_trust_free(trust);

	/* A source that does not mention a permission does not withdraw it. */
	trust = join("keys-alone.yaml", "mortise.trust=kms.insecure,meta.node-uuid");
	assert_true(trust->kms_insecure);
	assert_true(trust->meta_node_uuid);
	config_trust_free(trust);

	trust = join("all.yaml", "quiet");
	assert_string_equal(trust->source, "all.yaml");
	assert_true(trust->kms_insecure);
	assert_true(trust->meta_node_uuid);
	config_trust_free(trust);
}

static void contradictions_are_refused(void **state)
{
	static const struct {
		const char *words;
		const char *why;
	} cases[] = {
		{ "mortise.trust=node-id=machine-id",
		  "all.yaml and the kernel command line have no entry of node-id in common" },
		{ "mortise.trust=state.keys=kms",
		  "all.yaml and the kernel command line have no kind of key for STATE in common" },
		{ "mortise.trust=kms.ca=/other.pem",
		  "all.yaml and the kernel command line pin different CA certificates of the KMS "
		  "(/etc/mortise/kms/ca.pem, /other.pem)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_trust *trust = good_read("all.yaml"),
				    *from = words_read(cases[i].words);
		struct mortise_error err = { 0 };

		assert_int_equal(config_trust_join(trust, from, &err), MORTISE_E_CONFIG);
		assert_string_equal(err.text, cases[i].why);
		config_trust_free(trust);
		config_trust_free(from);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(all_members_are_read),
		cmocka_unit_test(defaults_require_and_permit_nothing),
		cmocka_unit_test(keys_imply_encryption),
		cmocka_unit_test(empty_list_permits_no_kms),
		cmocka_unit_test(command_line_has_the_same_members),
		cmocka_unit_test(bad_words_are_refused),
		cmocka_unit_test(stricter_member_of_each_source_holds),
		cmocka_unit_test(contradictions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
