/* SPDX-License-Identifier: MIT */
/*
 * Calls one function of the key source tpm, for the scripts in this directory. The parts of an
 * object are the files of a directory, in the formats of tpm2-tools. On failure it prints "CODE:
 * message" to standard output, with CODE from mortise_code_text(), and exits with status 1.
 *
 *   tpm_call [-T TCTI] [-L LIMIT_MS] [-k PUBLIC_KEY.pem [-s POLICY:FINGERPRINT:SIGNATURE]...]
 *     seal DIR PCRS [PREDICTED_PCRS VALUES_FILE] < secret	unseal DIR > secret
 *     digest PCRS VALUES_FILE	extend PCR DIGEST	pcr-value PCR
 *     key-name			fingerprint
 *   PCRS: "0,7", or "-" for an empty list. POLICY, FINGERPRINT, DIGEST: hex. SIGNATURE, VALUES_FILE:
 *   files.
 *     memory-read		memory-remove
 *     memory-write FLAGS STATE_KEYS [VOLUME=EPOCH]...	memory-replace (the same arguments)
 *   FLAGS: f (facts), e (STATE is encrypted), s (headers are sealed), or "-".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/sources/tpm/memory.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/tpm.h"
#include "base/secret.h"

static struct keys_tpm_signed_policy policy;
static struct keys_tpm_object object;

static void die(const char *what)
{
	fprintf(stderr, "tpm_call: %s\n", what);
	exit(2);
}

static size_t load(const char *dir, const char *name, void *bytes, size_t room)
{
	char path[4096];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
	file = fopen(path, "rb");
	if (!file)
		die(path);
	size = fread(bytes, 1, room, file);
	fclose(file);
	return size;
}

static void store(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		die(path);
}

static void hex(const char *text, uint8_t bytes[static KEYS_TPM_DIGEST_SIZE])
{
	for (size_t i = 0; i < KEYS_TPM_DIGEST_SIZE; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			die("hex");
		bytes[i] = (uint8_t)byte;
	}
}

static void print_hex(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

static uint32_t mask(const char *list)
{
	uint32_t pcrs = 0;
	char *end;

	if (!strcmp(list, "-"))
		return 0;
	for (;; list = end + 1) {
		pcrs |= UINT32_C(1) << strtoul(list, &end, 10);
		if (*end != ',')
			return pcrs;
	}
}

static void add_signature(const char *text)
{
	struct keys_tpm_signature *signature = &policy.signatures[policy.signature_count++];

	if (strlen(text) < 130 || text[64] != ':' || text[129] != ':')
		die("POLICY:FINGERPRINT:SIGNATURE");
	hex(text, signature->policy);
	hex(text + 65, signature->fingerprint);
	signature->signature_size =
		load(NULL, text + 130, signature->signature, sizeof(signature->signature));
}

static void store_object(const char *dir)
{
	char line[64];

	mkdir(dir, 0700);
	store(dir, "private", object.private_blob, object.private_size);
	store(dir, "public", object.public_blob, object.public_size);
	store(dir, "name", object.key_name, object.key_name_size);
	store(dir, "policy", object.policy_hash, sizeof(object.policy_hash));
	store(dir, "values", object.pcr_values, sizeof(object.pcr_values));
	snprintf(line, sizeof(line), "%d %u %u\n", object.signed_policy, object.pcrs,
		 object.values_known);
	store(dir, "bound", line, strlen(line));
}

static void load_object(const char *dir)
{
	char line[64] = "";
	int is_signed;

	object.private_size = load(dir, "private", object.private_blob, KEYS_TPM_BLOB_MAX);
	object.public_size = load(dir, "public", object.public_blob, KEYS_TPM_BLOB_MAX);
	object.key_name_size = load(dir, "name", object.key_name, KEYS_TPM_NAME_MAX);
	load(dir, "policy", object.policy_hash, sizeof(object.policy_hash));
	load(dir, "values", object.pcr_values, sizeof(object.pcr_values));
	load(dir, "bound", line, sizeof(line) - 1);
	if (sscanf(line, "%d %u %u", &is_signed, &object.pcrs, &object.values_known) != 3)
		die("bound");
	object.signed_policy = is_signed;
}

/*
 * Counts the copies of the secret in writable memory of this process. Only its second half is
 * searched for, because free(3) overwrites the first.
 */
static unsigned copies(const uint8_t *secret)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	unsigned found = 0;
	char line[512];

	while (maps && memory >= 0 && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char rights[5];
		uint8_t *bytes, *hit;
		size_t size, left;
		ssize_t got;

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w' ||
		    strstr(line, "[v"))
			continue;
		size = to - from;
		/* Skip AddressSanitizer's shadow memory. */
		if (size > UINT32_C(1) << 30)
			continue;
		/* malloc(3) takes this size from mmap(2): the searched heap does not change. */
		bytes = malloc(size);
		if (!bytes)
			die("memory");
		got = pread(memory, bytes, size, (off_t)from);
		for (hit = bytes, left = got > 0 ? (size_t)got : 0;
		     (hit = memmem(hit, left, secret + KEYS_TPM_SECRET_SIZE / 2,
				   KEYS_TPM_SECRET_SIZE / 2));
		     left = (size_t)got - (size_t)(++hit - bytes))
			found++;
		secret_wipe(bytes, size);
		free(bytes);
	}
	if (maps)
		fclose(maps);
	close(memory);
	return found;
}

/* Reads a file in the format of tpm2_pcrread -o: the selected PCRs, one after the other. */
static void load_values(const char *file, uint32_t pcrs,
			uint8_t values[static MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE])
{
	uint8_t packed[MORTISE_PCRS * KEYS_TPM_DIGEST_SIZE] = { 0 };
	size_t at = 0;

	if (pcrs)
		load(NULL, file, packed, sizeof(packed));
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		if (pcrs >> pcr & 1)
			memcpy(values[pcr], packed + KEYS_TPM_DIGEST_SIZE * at++,
			       KEYS_TPM_DIGEST_SIZE);
	}
}

static enum mortise_code seal(const struct keys_tpm *tpm, char **words, struct mortise_error *err)
{
	struct keys_tpm_binding binding = { .pcrs = mask(words[1]) };
	uint8_t secret[KEYS_TPM_SECRET_SIZE];
	enum mortise_code code;

	if (words[2]) {
		binding.predicted = mask(words[2]);
		load_values(words[3], binding.predicted, binding.values);
	}
	if (read(STDIN_FILENO, secret, sizeof(secret)) != sizeof(secret))
		die("no secret of 32 bytes");
	code = keys_tpm_seal(tpm, &binding, secret, &object, err);
	if (!code) {
		store_object(words[0]);
		fprintf(stderr, "copies %u\n", copies(secret));
	}
	return code;
}

static enum mortise_code unseal(const struct keys_tpm *tpm, char **words, struct mortise_error *err)
{
	struct mortise_secret *secret;
	enum mortise_code code;
	uint32_t changed;

	load_object(words[0]);
	code = keys_tpm_unseal(tpm, &object, &secret, &changed, err);
	if (code)
		fprintf(stderr, "changed %x\n", changed);
	if (!code) {
		fprintf(stderr, "copies %u\n", copies(mortise_secret_data(secret)));
		if (write(STDOUT_FILENO, mortise_secret_data(secret), mortise_secret_size(secret)) <
		    0)
			die("write");
	}
	mortise_secret_free(&secret);
	return code;
}

static enum mortise_code digest(const struct keys_tpm *tpm, char **words, struct mortise_error *err)
{
	static uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
	uint8_t result[KEYS_TPM_DIGEST_SIZE];
	const uint32_t pcrs = mask(words[0]);
	enum mortise_code code;

	load_values(words[1], pcrs, values);
	code = keys_tpm_policy_digest(tpm->policy, pcrs, (const uint8_t(*)[32])values, result, err);
	if (!code)
		print_hex(result, sizeof(result));
	return code;
}

static enum mortise_code extend(const struct keys_tpm *tpm, char **words, struct mortise_error *err)
{
	uint8_t bytes[KEYS_TPM_DIGEST_SIZE];

	hex(words[1], bytes);
	return keys_tpm_extend(tpm, (unsigned)atoi(words[0]), bytes, err);
}

static enum mortise_code pcr_value(const struct keys_tpm *tpm, char **words,
				   struct mortise_error *err)
{
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code;
	bool exists;

	code = keys_tpm_pcr_value(tpm, (unsigned)atoi(words[0]), &exists, value, err);
	if (!code && exists)
		print_hex(value, sizeof(value));
	return code;
}

static enum mortise_code memory_read(const struct keys_tpm *tpm, struct mortise_error *err)
{
	static const char *const states[] = {
		[KEYS_TPM_MEMORY_NO_TPM] = "no TPM",	   [KEYS_TPM_MEMORY_NO_INDEX] = "no index",
		[KEYS_TPM_MEMORY_UNWRITTEN] = "unwritten", [KEYS_TPM_MEMORY_FOREIGN] = "foreign",
		[KEYS_TPM_MEMORY_DAMAGED] = "damaged",	   [KEYS_TPM_MEMORY_VALID] = "valid",
	};
	enum keys_tpm_memory_state state;
	struct keys_tpm_memory memory;
	enum mortise_code code;

	code = keys_tpm_memory_read(tpm, &memory, &state, err);
	if (code)
		return code;
	printf("%s: %s%s%s %u\n", states[state], memory.facts ? "f" : "",
	       memory.state_encrypted ? "e" : "", memory.headers_sealed ? "s" : "",
	       memory.state_keys);
	for (size_t i = 0; i < memory.volume_count; i++) {
		printf("%llu ", (unsigned long long)memory.volumes[i].epoch);
		print_hex(memory.volumes[i].volume, KEYS_TPM_VOLUME_SIZE);
	}
	return MORTISE_OK;
}

static enum mortise_code memory_write(const struct keys_tpm *tpm, char **words, bool replace,
				      struct mortise_error *err)
{
	struct keys_tpm_memory memory = {
		.facts = strchr(words[0], 'f'),
		.state_encrypted = strchr(words[0], 'e'),
		.headers_sealed = strchr(words[0], 's'),
		.state_keys = (uint16_t)atoi(words[1]),
	};
	enum mortise_code code = MORTISE_OK;

	for (words += 2; !code && *words; words++) {
		char *at = strchr(*words, '=');

		if (!at)
			die(*words);
		*at = '\0';
		code = keys_tpm_memory_set_epoch(&memory, *words, strtoull(at + 1, NULL, 10), err);
	}
	return code ? code : keys_tpm_memory_write(tpm, &memory, replace, err);
}

static enum mortise_code run(const struct keys_tpm *tpm, char **words, struct mortise_error *err)
{
	uint8_t result[KEYS_TPM_OBJECT_NAME_SIZE];
	enum mortise_code code;

	if (!strcmp(words[0], "seal"))
		return seal(tpm, words + 1, err);
	if (!strcmp(words[0], "unseal"))
		return unseal(tpm, words + 1, err);
	if (!strcmp(words[0], "extend"))
		return extend(tpm, words + 1, err);
	if (!strcmp(words[0], "pcr-value"))
		return pcr_value(tpm, words + 1, err);
	if (!strcmp(words[0], "digest"))
		return digest(tpm, words + 1, err);
	if (!strcmp(words[0], "memory-read"))
		return memory_read(tpm, err);
	if (!strcmp(words[0], "memory-write") || !strcmp(words[0], "memory-replace"))
		return memory_write(tpm, words + 1, words[0][7] == 'r', err);
	if (!strcmp(words[0], "memory-remove"))
		return keys_tpm_memory_remove(tpm, err);
	if (!strcmp(words[0], "key-name")) {
		code = keys_tpm_policy_key_name(tpm->policy, result, err);
		if (!code)
			print_hex(result, KEYS_TPM_OBJECT_NAME_SIZE);
		return code;
	}
	if (!strcmp(words[0], "fingerprint")) {
		code = keys_tpm_fingerprint(tpm->policy, result, err);
		if (!code)
			print_hex(result, KEYS_TPM_DIGEST_SIZE);
		return code;
	}
	die(words[0]);
	return MORTISE_E_USAGE;
}

int main(int argc, char **argv)
{
	struct keys_tpm tpm = { 0 };
	struct mortise_error err;
	enum mortise_code code;
	char pem[8192];
	size_t size;
	int option;

	/* Without this, the TSS repeats the error on standard error. */
	setenv("TSS2_LOG", "all+none", 0);
	while ((option = getopt(argc, argv, "T:L:k:s:")) != -1) {
		switch (option) {
		case 'T':
			tpm.tcti = optarg;
			break;
		case 'L':
			tpm.limit_ms = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			size = load(NULL, optarg, pem, sizeof(pem));
			code = keys_tpm_public_key(pem, size, &policy, &err);
			if (code)
				goto failed;
			tpm.policy = &policy;
			break;
		case 's':
			add_signature(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind == argc)
		die("no function to call");
	code = run(&tpm, argv + optind, &err);
	if (!code)
		return 0;
failed:
	printf("%s: %s\n", mortise_code_text(code), err.text);
	return 1;
}
