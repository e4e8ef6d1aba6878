/* SPDX-License-Identifier: MIT */
/*
 * The configuration parser, tested with files: config/bad/NAME.yaml must give exactly the diagnostics
 * in its first lines ("# error: LINE:COL: text", "# notice: ..."), and config/good/NAME.yaml only
 * the notices. The guide-*.yaml files are the examples of Talos's disk encryption guide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define BAD_FILES_MIN 45u

static const char *test_dir;

struct file {
	char *text;
	size_t size;
};

static struct file file_read(const char *folder, const char *name)
{
	struct file file = { 0 };
	char path[4096];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/config/%s/%s", test_dir, folder, name);
	stream = fopen(path, "rb");
	if (!stream)
		fail_msg("cannot open %s", path);
	/* A buffer of the exact size, so that sanitizers detect reads beyond the end. */
	fseek(stream, 0, SEEK_END);
	file.size = (size_t)ftell(stream);
	rewind(stream);
	file.text = malloc(file.size ? file.size : 1);
	assert_non_null(file.text);
	assert_int_equal(fread(file.text, 1, file.size, stream), file.size);
	fclose(stream);
	return file;
}

static struct config *good_read(const char *name)
{
	struct file file = file_read("good", name);
	struct config *config;
	struct config_diagnostics diagnostics;
	struct mortise_error err;

	if (config_parse(file.text, file.size, name, &config, &diagnostics, &err) != MORTISE_OK)
		fail_msg("%s", err.text);
	config_diagnostics_clear(&diagnostics);
	free(file.text);
	return config;
}

/* Returns "# error: 3:5: text" for each diagnostic; the caller frees the text. */
static char *print_diagnostics(const struct config_diagnostics *diagnostics)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	for (size_t i = 0; i < diagnostics->count; i++)
		fprintf(stream, "# %s: %u:%u: %s\n",
			diagnostics->diagnostic[i].error ? "error" : "notice",
			diagnostics->diagnostic[i].line, diagnostics->diagnostic[i].column,
			diagnostics->diagnostic[i].text);
	fclose(stream);
	return text;
}

/* Returns the size of the expected diagnostics at the start of a file. */
static size_t announced(const struct file *file)
{
	size_t end = 0;

	while (file->size - end > 9 && (memcmp(file->text + end, "# error: ", 9) == 0 ||
					memcmp(file->text + end, "# notice:", 9) == 0)) {
		const char *newline = memchr(file->text + end, '\n', file->size - end);

		end = newline ? (size_t)(newline - file->text) + 1 : file->size;
	}
	return end;
}

static bool file_check(const char *folder, const char *name)
{
	struct file file = file_read(folder, name);
	size_t size = announced(&file);
	struct config *config;
	struct config_diagnostics diagnostics;
	struct mortise_error err = { 0 };
	bool bad = strcmp(folder, "bad") == 0;
	enum mortise_code code;
	char *text;
	bool same;

	code = config_parse(file.text, file.size, name, &config, &diagnostics, &err);
	text = print_diagnostics(&diagnostics);
	same = strlen(text) == size && memcmp(text, file.text, size) == 0;
	if (!same)
		print_error("%s/%s: got\n%s", folder, name, text);
	if (code != (bad ? MORTISE_E_CONFIG : MORTISE_OK) || !config != bad) {
		print_error("%s/%s: code %d: %s\n", folder, name, code, err.text);
		same = false;
	}
	/* All passphrases in these files contain this word; no message may contain a passphrase. */
	if (strstr(text, "sesame") || strstr(err.text, "sesame")) {
		print_error("%s/%s: a message contains a passphrase\n", folder, name);
		same = false;
	}
	config_free(config);
	config_diagnostics_clear(&diagnostics);
	free(text);
	free(file.text);
	return same;
}

static size_t folder_check(const char *folder)
{
	char path[4096];
	struct dirent **entries;
	size_t checked = 0;
	size_t failed = 0;
	int count;

	snprintf(path, sizeof(path), "%s/config/%s", test_dir, folder);
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		fail_msg("cannot list %s", path);
	for (int i = 0; i < count; i++) {
		if (strstr(entries[i]->d_name, ".yaml")) {
			failed += !file_check(folder, entries[i]->d_name);
			checked++;
		}
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(failed, 0);
	return checked;
}

static void test_bad_files(void **state)
{
	(void)state;
	assert_true(folder_check("bad") >= BAD_FILES_MIN);
}

static void test_good_files(void **state)
{
	(void)state;
	assert_true(folder_check("good") > 0);
}

static void assert_passphrase(const struct config_key *key, const char *bytes, size_t size)
{
	assert_int_equal(key->kind, CONFIG_KEY_STATIC);
	assert_non_null(key->passphrase);
	assert_int_equal(mortise_secret_size(key->passphrase), size);
	assert_memory_equal(mortise_secret_data(key->passphrase), bytes, size);
}

static void test_guide_state_ephemeral(void **state)
{
	struct config *config = good_read("guide-state-ephemeral.yaml");
	const struct config_volume *volume = config->volumes;

	(void)state;
	assert_int_equal(config->volume_count, 2);
	assert_string_equal(volume[0].name, "STATE");
	assert_string_equal(volume[0].id, "STATE");
	assert_int_equal(volume[0].kind, CONFIG_VOLUME_SYSTEM);
	assert_true(volume[0].encrypted);
	assert_string_equal(volume[0].cipher, "aes-xts-plain64");
	assert_int_equal(volume[0].key_size, 64);
	assert_int_equal(volume[0].block_size, 0);
	assert_int_equal(volume[0].perf, 0);
	assert_false(volume[0].allow_discards);
	assert_int_equal(volume[0].key_count, 1);
	assert_int_equal(volume[0].keys[0].kind, CONFIG_KEY_NODE_ID);
	assert_int_equal(volume[0].keys[0].slot, 0);
	assert_false(volume[0].keys[0].lock_to_state);
	assert_int_equal(volume[0].filesystem, CONFIG_FS_XFS);
	assert_string_equal(volume[0].mount_point, "/system/state");
	assert_int_equal(volume[0].mount_mode, 0700);
	assert_true(volume[0].mount_secure);
	assert_true(volume[0].mount_noexec);
	assert_string_equal(volume[1].id, "EPHEMERAL");
	assert_string_equal(volume[1].mount_point, "/var");
	assert_int_equal(volume[1].mount_mode, 0755);
	assert_true(volume[1].mount_secure);
	assert_false(volume[1].mount_noexec);
	assert_int_equal(volume[1].line, 10);
	config_free(config);
}

static void test_guide_user(void **state)
{
	struct config *config = good_read("guide-user.yaml");
	const struct config_volume *volume = config->volumes;

	(void)state;
	assert_int_equal(config->volume_count, 1);
	assert_int_equal(volume->kind, CONFIG_VOLUME_USER);
	assert_string_equal(volume->name, "my-user-volume");
	assert_string_equal(volume->id, "u-my-user-volume");
	assert_string_equal(volume->mount_point, "/var/mnt/my-user-volume");
	assert_true(volume->mount_secure);
	assert_true(volume->mount_noexec);
	config_free(config);
}

static void test_guide_keys(void **state)
{
	struct config *config = good_read("guide-keys.yaml");
	const struct config_volume *volume = config->volumes;

	(void)state;
	assert_int_equal(config->volume_count, 2);
	assert_true(volume[0].encrypted);
	assert_int_equal(volume[0].keys[0].kind, CONFIG_KEY_NODE_ID);
	assert_int_equal(volume[0].keys[0].slot, 1);
	assert_true(volume[1].encrypted);
	assert_passphrase(&volume[1].keys[0], "supersecret", 11);
	assert_int_equal(volume[1].keys[0].slot, 0);
	assert_true(volume[1].keys[0].lock_to_state);
	config_free(config);
}

static void test_guide_rotation(void **state)
{
	struct config *config = good_read("guide-rotation-add.yaml");

	(void)state;
	assert_int_equal(config->volumes[0].key_count, 2);
	assert_passphrase(&config->volumes[0].keys[0], "oldkey", 6);
	assert_passphrase(&config->volumes[0].keys[1], "newkey", 6);
	assert_int_equal(config->volumes[0].keys[1].slot, 1);
	config_free(config);
	config = good_read("guide-rotation-remove.yaml");
	assert_int_equal(config->volumes[0].key_count, 1);
	assert_int_equal(config->volumes[0].keys[0].slot, 1);
	config_free(config);
}

/* Recovery keys only reserve their keyslots; Talos, which reads META, does not know them. */
static void test_recovery(void **state)
{
	struct config *config = good_read("recovery.yaml");
	const struct config_volume *volume = &config->volumes[0];
	static const char json[] =
		"{\"EncryptionProvider\":\"luks2\",\"EncryptionKeys\":[{\"KeySlot\":0,"
		"\"KeyStatic\":null,\"KeyNodeID\":{},\"KeyKMS\":null,\"KeyTPM\":null,"
		"\"KeyLockToSTATE\":null}],";

	(void)state;
	assert_int_equal(volume->key_count, 1);
	assert_int_equal(volume->recovery_slots, UINT32_C(1) << 31 | 1u << 7);
	assert_true(mortise_secret_size(config->state_json) > strlen(json));
	assert_memory_equal(mortise_secret_data(config->state_json), json, strlen(json));
	config_free(config);
}

static void test_every_field(void **state)
{
	struct config *config = good_read("every-field.yaml");
	const struct config_volume *volume = &config->volumes[1];
	const struct config_key *key = volume->keys;

	(void)state;
	/*
	 * STATE is last in the file, but comes first; the mount points of the others are equally
	 * deep.
	 */
	assert_int_equal(config->volume_count, 4);
	assert_string_equal(config->volumes[0].id, "STATE");
	assert_string_equal(config->volumes[2].id, "u-plain");
	assert_string_equal(config->volumes[3].id, "IMAGECACHE");

	assert_string_equal(volume->id, "u-Data-1");
	assert_string_equal(volume->cipher, "xchacha20,aes-adiantum-plain64");
	assert_int_equal(volume->key_size, 32);
	assert_int_equal(volume->block_size, 4096);
	assert_int_equal(volume->perf, CONFIG_PERF_NO_READ_WORKQUEUE | CONFIG_PERF_SAME_CPU_CRYPT);
	assert_true(volume->allow_discards);
	assert_int_equal(volume->filesystem, CONFIG_FS_EXT4);
	assert_false(volume->mount_secure);
	assert_false(volume->mount_noexec);
	assert_true(volume->mount_noatime);

	/* Keys are sorted by slot. */
	assert_int_equal(volume->key_count, 5);
	assert_int_equal(key[0].slot, 0);
	assert_int_equal(key[0].kind, CONFIG_KEY_KMS);
	assert_string_equal(key[0].kms_endpoint, "https://192.168.88.21:4443");
	assert_false(key[0].lock_to_state);
	assert_int_equal(key[1].slot, 1);
	assert_int_equal(key[1].kind, CONFIG_KEY_TPM);
	assert_int_equal(key[1].tpm_pcr_count, 2);
	assert_int_equal(key[1].tpm_pcrs[0], 7);
	assert_int_equal(key[1].tpm_pcrs[1], 15);
	assert_false(key[1].tpm_pcrs_named);
	assert_false(key[1].tpm_check_secureboot);
	assert_int_equal(key[2].slot, 2);
	assert_int_equal(key[2].tpm_pcr_count, 3);
	assert_int_equal(key[2].tpm_pcrs[0], 0);
	assert_int_equal(key[2].tpm_pcrs[1], 7);
	assert_int_equal(key[2].tpm_pcrs[2], 23);
	assert_true(key[2].tpm_pcrs_named);
	assert_true(key[2].tpm_check_secureboot);
	assert_true(key[2].lock_to_state);
	assert_int_equal(key[3].slot, 3);
	assert_int_equal(key[3].kind, CONFIG_KEY_TPM);
	assert_int_equal(key[3].tpm_pcr_count, 0);
	assert_int_equal(key[4].slot, 31);
	assert_passphrase(&key[4], "12e3", 4);

	assert_false(config->volumes[2].encrypted);
	assert_true(config->volumes[2].mount_project_quota);
	assert_int_equal(config->volumes[0].key_size, 32);
	assert_int_equal(config->volumes[3].filesystem, CONFIG_FS_EXT4);
	assert_string_equal(config->volumes[3].mount_point, "/system/imagecache/disk");
	assert_false(config->volumes[3].mount_secure);
	config_free(config);
}

static void test_yaml_values(void **state)
{
	struct config *config = good_read("yaml-values.yaml");
	const struct config_volume *state_volume = &config->volumes[0];
	const struct config_volume *ephemeral = &config->volumes[1];

	(void)state;
	/* The directory is not a volume. */
	assert_int_equal(config->volume_count, 2);
	assert_int_equal(state_volume->key_count, 2);
	assert_passphrase(&state_volume->keys[0], "12345", 5);
	assert_int_equal(state_volume->keys[1].slot, 31);
	assert_int_equal(state_volume->block_size, 0);
	assert_true(ephemeral->encrypted);
	assert_int_equal(ephemeral->block_size, 4096);
	assert_int_equal(ephemeral->key_size, 64);
	assert_int_equal(ephemeral->key_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_passphrase(&ephemeral->keys[i], "12345", 5);
	assert_int_equal(ephemeral->keys[0].slot, 0);
	assert_int_equal(ephemeral->keys[1].slot, 15);
	assert_int_equal(ephemeral->keys[2].slot, 16);
	assert_true(ephemeral->keys[2].lock_to_state);
	config_free(config);
}

static void test_system_partitions(void **state)
{
	static const struct {
		const char *id;
		const char *mount_point;
		bool secure;
		bool noexec;
	} expected[] = {
		/* Outer mount points come first, although LOG is last in the file. */
		{ "LOG", "/var/log", false, false },
		{ "ETCD", "/var/lib/etcd", true, true },
		{ "CRI", "/var/lib/containerd", true, false },
		{ "KUBELET", "/var/lib/kubelet", false, false },
	};
	struct config *config = good_read("system-partitions.yaml");

	(void)state;
	assert_int_equal(config->volume_count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(config->volumes[i].id, expected[i].id);
		assert_string_equal(config->volumes[i].mount_point, expected[i].mount_point);
		assert_int_equal(config->volumes[i].mount_secure, expected[i].secure);
		assert_int_equal(config->volumes[i].mount_noexec, expected[i].noexec);
	}
	config_free(config);
}

/* Keys that Talos does not have. Outer mount points come first, at any depth. */
static void test_filesystems(void **state)
{
	static const struct {
		const char *id, *mount_point;
		enum config_filesystem filesystem;
		enum config_fsck fsck;
	} expected[] = {
		{ "STATE", "/system/state", CONFIG_FS_EXT4, CONFIG_FSCK_FORCE },
		{ "u-outer", "/srv", CONFIG_FS_BTRFS, CONFIG_FSCK_PREEN },
		{ "EPHEMERAL", "/var", CONFIG_FS_BTRFS, CONFIG_FSCK_NONE },
		{ "u-elsewhere", "/var/mnt/deep", CONFIG_FS_XFS, CONFIG_FSCK_PREEN },
		{ "u-deep", "/srv/a/b/c/d/e/f/g/h/i j/.k/l..", CONFIG_FS_EXT4, CONFIG_FSCK_PREEN },
		{ "u-deeper", "/srv/a/b/c/d/e/f/g/h/i j/.k/l../m", CONFIG_FS_XFS,
		  CONFIG_FSCK_NONE },
	};
	struct config *config = good_read("filesystems.yaml");

	(void)state;
	assert_int_equal(config->volume_count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(config->volumes[i].id, expected[i].id);
		assert_string_equal(config->volumes[i].mount_point, expected[i].mount_point);
		assert_int_equal(config->volumes[i].filesystem, expected[i].filesystem);
		assert_int_equal(config->volumes[i].fsck, expected[i].fsck);
	}
	config_free(config);
}

static void test_raw_swap_disk(void **state)
{
	struct config *config = good_read("raw-swap-disk.yaml");
	const struct config_volume *volume = config->volumes;

	(void)state;
	/* Mounted volumes come first, outer mount points before inner ones. */
	assert_int_equal(config->volume_count, 6);
	assert_string_equal(volume[0].id, "EPHEMERAL");
	assert_string_equal(volume[1].id, "u-secret-store");
	assert_int_equal(volume[1].kind, CONFIG_VOLUME_USER);
	assert_string_equal(volume[1].disk_selector,
			    "disk.transport == \"nvme\" && disk.size > 120u * GB");
	assert_int_equal(volume[1].filesystem, CONFIG_FS_EXT4);
	assert_string_equal(volume[1].mount_point, "/var/mnt/secret-store");
	assert_string_equal(volume[2].id, "IMAGECACHE");
	assert_int_equal(volume[2].filesystem, CONFIG_FS_EXT4);

	assert_string_equal(volume[3].id, "r-secret-store");
	assert_string_equal(volume[3].name, "secret-store");
	assert_int_equal(volume[3].kind, CONFIG_VOLUME_RAW);
	assert_int_equal(volume[3].filesystem, CONFIG_FS_NONE);
	assert_null(volume[3].mount_point);
	assert_null(volume[3].disk_selector);
	assert_true(volume[3].encrypted);
	assert_true(volume[3].allow_discards);
	assert_int_equal(volume[3].key_count, 2);

	assert_string_equal(volume[4].id, "s-swap1");
	assert_int_equal(volume[4].kind, CONFIG_VOLUME_SWAP);
	assert_int_equal(volume[4].filesystem, CONFIG_FS_SWAP);
	assert_null(volume[4].mount_point);
	assert_passphrase(&volume[4].keys[0], "swapsecret", 10);
	assert_true(volume[4].keys[0].lock_to_state);

	assert_string_equal(volume[5].id, "r-plain");
	assert_false(volume[5].encrypted);
	config_free(config);
}

static void test_machine(void **state)
{
	struct config *config = good_read("machine-join.yaml");
	const struct config_volume *volume = config->volumes;

	(void)state;
	assert_int_equal(config->volume_count, 2);
	assert_string_equal(volume[0].id, "STATE");
	assert_string_equal(volume[0].mount_point, "/system/state");
	assert_int_equal(volume[0].mount_mode, 0700);
	assert_true(volume[0].encrypted);
	assert_int_equal(volume[0].key_count, 2);
	assert_string_equal(volume[0].keys[0].kms_endpoint, "https://kms.example.org:4443");
	assert_int_equal(volume[0].keys[1].kind, CONFIG_KEY_TPM);
	assert_int_equal(volume[0].keys[1].tpm_pcr_count, 2);
	assert_int_equal(volume[0].keys[1].tpm_pcrs[1], 15);
	assert_true(volume[0].keys[1].tpm_check_secureboot);

	/* The mount is from its VolumeConfig, the encryption from the machine configuration. */
	assert_string_equal(volume[1].id, "EPHEMERAL");
	assert_int_equal(volume[1].line, 2);
	assert_false(volume[1].mount_secure);
	assert_true(volume[1].encrypted);
	assert_string_equal(volume[1].cipher, "xchacha12,aes-adiantum-plain64");
	assert_int_equal(volume[1].key_size, 32);
	assert_int_equal(volume[1].block_size, 4096);
	assert_int_equal(volume[1].perf, CONFIG_PERF_NO_READ_WORKQUEUE);
	assert_int_equal(volume[1].key_count, 1);
	assert_int_equal(volume[1].keys[0].slot, 3);
	assert_passphrase(&volume[1].keys[0], "ephemeral", 9);
	config_free(config);
}

/* The selector of an installation becomes an expression. */
static void test_install(void **state)
{
	struct config *config = good_read("machine-install.yaml");

	(void)state;
	assert_string_equal(config->install.disk, "/dev/disk/by-id/nvme-example");
	assert_string_equal(config->install.selector,
			    "disk.size >= 1500000000000u && disk.transport == \"nvme\" && "
			    "glob(\"WDC \\\"Red\\\"*\", disk.model) && "
			    "glob(\"/pci0000:00/*\", disk.bus_path)");
	config_free(config);
	config = good_read("machine-alone.yaml");
	assert_string_equal(config->install.disk, "/dev/sda");
	assert_null(config->install.selector);
	config_free(config);
}

/* A complete configuration as talosctl writes it: two volumes, and no diagnostics about the rest. */
static void test_talosctl(void **state)
{
	struct config *config = good_read("talosctl-controlplane.yaml");

	(void)state;
	assert_int_equal(config->volume_count, 2);
	assert_string_equal(config->volumes[0].id, "STATE");
	assert_int_equal(config->volumes[0].keys[0].kind, CONFIG_KEY_NODE_ID);
	assert_string_equal(config->volumes[1].id, "EPHEMERAL");
	assert_int_equal(config->volumes[1].key_count, 2);
	assert_passphrase(&config->volumes[1].keys[1], "not so secret", 13);
	assert_int_equal(config->volumes[1].perf,
			 CONFIG_PERF_NO_READ_WORKQUEUE | CONFIG_PERF_NO_WRITE_WORKQUEUE);
	config_free(config);
	config = good_read("talosctl-worker.yaml");
	assert_int_equal(config->volume_count, 0);
	config_free(config);
}

static void test_passphrase_bytes(void **state)
{
	/* The YAML value of each spelling, with spaces, newlines and NUL; nothing is trimmed. */
	static const struct {
		const char *bytes;
		size_t size;
	} expected[] = {
		{ " two  spaces ", 13 },
		{ "line 1\nline 2\n", 14 },
		{ "a\0b\n", 4 },
		{ "gr\xc3\xbc\xc3\x9f", 6 },
		{ "null", 4 },
		{ "it's", 4 },
		{ "true", 4 },
		{ "0007", 4 },
		{ "folded to one line", 18 },
	};
	struct config *config = good_read("passphrase-bytes.yaml");

	(void)state;
	assert_int_equal(config->volumes[0].key_count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < config->volumes[0].key_count; i++)
		assert_passphrase(&config->volumes[0].keys[i], expected[i].bytes, expected[i].size);
	config_free(config);
}

static enum mortise_code text_parse(const char *text, size_t size, struct mortise_error *err)
{
	struct config *config;
	struct config_diagnostics diagnostics;
	enum mortise_code code;

	code = config_parse(text, size, "x", &config, &diagnostics, err);
	config_free(config);
	config_diagnostics_clear(&diagnostics);
	return code;
}

static void test_bounds(void **state)
{
	const size_t size = (1u << 20) + 1;
	struct mortise_error err;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, '#', size);
	assert_int_equal(text_parse(text, size - 1, &err), MORTISE_OK);
	assert_int_equal(text_parse(text, size, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text, "x: the configuration is larger than 1 MiB");

	for (size_t i = 0; i + 4 <= size; i += 4)
		memcpy(text + i, "---\n", 4);
	assert_int_equal(text_parse(text, 4 * 128, &err), MORTISE_OK);
	assert_int_equal(text_parse(text, 4 * 129, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text, "x:129:1: more than 128 documents");

	memset(text, '[', size);
	assert_int_equal(text_parse(text, size - 1, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text, "x:1:33: nested more than 32 levels deep");

	for (size_t i = 1; i + 2 <= size; i += 2)
		memcpy(text + i, "a,", 2);
	assert_int_equal(text_parse(text, size - 2, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text,
			    "x:1:131072: more than 65536 values, with all aliases written out");

	/* Thousands of errors: all are counted, some are kept. */
	memcpy(text, "kind: VolumeConfig\n", 19);
	for (size_t i = 19; i + 5 <= 19 + 5000; i += 5)
		memcpy(text + i, "b: 1\n", 5);
	assert_int_equal(text_parse(text, 19 + 5000, &err), MORTISE_E_CONFIG);
	assert_non_null(strstr(err.text, "(1002 errors in all)"));
	free(text);
}

/* Many notices do not hide the error. */
static void test_many_notices(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	struct mortise_error err;

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 128; i++)
		fprintf(stream,
			"---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s%d\n"
			"trim: {}\nscrub: {}\nencryption: {keys: [{nodeID: {}}]}\n"
			"filesystem: {xfs: {minAllocationGroupSize: 1}}\n",
			i == 127 ? "_" : "v", i);
	fclose(stream);
	assert_int_equal(text_parse(text, size, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text, "x:1020:7: name can only contain lowercase and uppercase "
				      "ASCII letters, digits, and hyphens");
	free(text);
}

static void test_first_error_in_err(void **state)
{
	static const char text[] = "apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n"
				   "encryption:\n  provider: luks2\n  keys:\n"
				   "  - {static: {}, slot: 40}\n";
	struct mortise_error err;

	(void)state;
	assert_int_equal(text_parse(text, sizeof(text) - 1, &err), MORTISE_E_CONFIG);
	assert_int_equal(err.code, MORTISE_E_CONFIG);
	assert_string_equal(err.text, "x:7:6: static passphrase is empty (2 errors in all)");
	/* A caller that passes no error struct. */
	assert_int_equal(text_parse(text, sizeof(text) - 1, NULL), MORTISE_E_CONFIG);
	assert_string_equal(config_key_kind_name(CONFIG_KEY_STATIC), "static");
	assert_string_equal(config_key_kind_name(CONFIG_KEY_NODE_ID), "nodeID");
	assert_string_equal(config_key_kind_name(CONFIG_KEY_KMS), "kms");
	assert_string_equal(config_key_kind_name(CONFIG_KEY_TPM), "tpm");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_guide_state_ephemeral),
		cmocka_unit_test(test_guide_user),
		cmocka_unit_test(test_guide_keys),
		cmocka_unit_test(test_guide_rotation),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_yaml_values),
		cmocka_unit_test(test_system_partitions),
		cmocka_unit_test(test_filesystems),
		cmocka_unit_test(test_raw_swap_disk),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_install),
		cmocka_unit_test(test_talosctl),
		cmocka_unit_test(test_passphrase_bytes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many_notices),
		cmocka_unit_test(test_first_error_in_err),
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
