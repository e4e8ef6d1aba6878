/* SPDX-License-Identifier: MIT */
/* Keys of kind tpm: tests without a TPM. tests/tpm/ has tests with emulated TPMs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/sources/tpm/library.h"
#include "keys/sources/tpm/memory.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/template.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/talos_policy.h"

/* ------------------------------------------------------------------- simulated machine */

static struct {
	int error[2];  /* errno when /dev/tpmrm0 and /dev/tpm0 are opened */
	unsigned busy; /* how often /dev/tpm0 gives EBUSY before that */
	unsigned opened[2];
	const char *library; /* the missing library */
} machine;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
void *__real_dlopen(const char *file, int flags);
void *__wrap_dlopen(const char *file, int flags);

int __wrap_open(const char *path, int flags, ...)
{
	const bool managed = !strcmp(path, "/dev/tpmrm0");
	va_list ap;
	int mode;

	if (managed || !strcmp(path, "/dev/tpm0")) {
		errno = machine.error[!managed];
		if (machine.opened[!managed]++ < machine.busy && !managed)
			errno = EBUSY;
		return -1;
	}
	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return __real_open(path, flags, mode);
}

void *__wrap_dlopen(const char *file, int flags)
{
	if (machine.library && file && !strcmp(file, machine.library))
		file = "libtss2-not-installed.so.0";
	return __real_dlopen(file, flags);
}

static enum mortise_code ask(uint32_t limit_ms, struct mortise_error *err)
{
	const struct keys_tpm tpm = { .limit_ms = limit_ms };

	static const uint8_t digest[KEYS_TPM_DIGEST_SIZE];

	return keys_tpm_extend(&tpm, 11, digest, err);
}

static void test_no_tpm(void **state)
{
	struct mortise_error err;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.error[0] = ENOENT;
	machine.error[1] = ENOENT;
	assert_int_equal(ask(0, &err), MORTISE_E_SOURCE);
	assert_string_equal(err.text, "this machine has no TPM 2.0 (/dev/tpmrm0, /dev/tpm0)");
	assert_int_equal(machine.opened[0], 1);
	assert_int_equal(machine.opened[1], 1);
	/* The driver exists, but the TPM does not. */
	machine.error[1] = ENODEV;
	assert_int_equal(ask(0, &err), MORTISE_E_SOURCE);
	assert_string_equal(err.text, "this machine has no TPM 2.0 (/dev/tpmrm0, /dev/tpm0)");
}

static void test_tpm_refused(void **state)
{
	struct mortise_error err;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.error[0] = EACCES;
	assert_int_equal(ask(0, &err), MORTISE_E_SOURCE);
	assert_string_equal(err.text, "cannot open the TPM /dev/tpmrm0: Permission denied");
	assert_int_equal(err.sys_errno, EACCES);
	assert_int_equal(machine.opened[1], 0);
}

static void test_tpm_in_use(void **state)
{
	struct mortise_error err;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.error[0] = ENOENT;
	machine.error[1] = EPERM;
	machine.busy = 3;
	assert_int_equal(ask(0, &err), MORTISE_E_SOURCE);
	assert_string_equal(err.text, "cannot open the TPM /dev/tpm0: Operation not permitted");
	assert_int_equal(machine.opened[1], 4);
	machine.busy = UINT32_MAX;
	assert_int_equal(ask(2000, &err), MORTISE_E_UNREACHABLE);
	assert_string_equal(err.text, "cannot open the TPM /dev/tpm0, which another program uses: "
				      "Device or resource busy");
}

static void test_not_installed(void **state)
{
	static const char *const files[] = { "libtss2-esys.so.0", "libtss2-mu.so.0",
					     "libtss2-tctildr.so.0" };
	struct mortise_error err;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		machine.library = files[i];
		assert_int_equal(ask(0, &err), MORTISE_E_UNSUPPORTED);
		assert_ptr_equal(strstr(err.text, "keys of kind tpm require tpm2-tss"), err.text);
		assert_non_null(strstr(err.text, "libtss2-not-installed.so.0"));
	}
	assert_int_equal(machine.opened[0], 0);
}

static void test_usage(void **state)
{
	static const uint8_t secret[KEYS_TPM_SECRET_SIZE];
	const struct keys_tpm tpm = { 0 };
	struct keys_tpm_binding binding = { .pcrs = UINT32_C(1) << 24 };
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	struct keys_tpm_object object;
	struct mortise_error err;
	bool exists;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	assert_int_equal(keys_tpm_extend(&tpm, 24, secret, &err), MORTISE_E_USAGE);
	assert_string_equal(err.text, "PCR 24 does not exist; a TPM has only PCR 0 to PCR 23");
	assert_int_equal(keys_tpm_seal(&tpm, &binding, secret, &object, &err), MORTISE_E_USAGE);
	binding.pcrs = 0;
	assert_int_equal(keys_tpm_seal(&tpm, &binding, secret, &object, &err), MORTISE_E_USAGE);
	assert_int_equal(machine.opened[0], 0);
	machine.error[0] = ENOENT;
	machine.error[1] = ENOENT;
	assert_int_equal(keys_tpm_pcr_value(&tpm, 24, &exists, value, &err), MORTISE_E_USAGE);
}

/* Without a TPM, the call succeeds; with one that cannot be opened, it fails. */
static void test_pcr_value(void **state)
{
	const struct keys_tpm tpm = { 0 };
	uint8_t value[KEYS_TPM_DIGEST_SIZE];
	struct mortise_error err;
	bool exists = true;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.error[0] = ENOENT;
	machine.error[1] = ENODEV;
	assert_int_equal(keys_tpm_pcr_value(&tpm, 15, &exists, value, &err), MORTISE_OK);
	assert_false(exists);
	machine.error[1] = EACCES;
	assert_int_equal(keys_tpm_pcr_value(&tpm, 15, &exists, value, &err), MORTISE_E_SOURCE);
	assert_true(exists);
}

/* ----------------------------------------------------------------- policies and objects */

static void read_key(const char *pem, struct keys_tpm_signed_policy *policy)
{
	struct mortise_error err;

	memset(policy, 0, sizeof(*policy));
	assert_int_equal(keys_tpm_public_key(pem, strlen(pem), policy, &err), MORTISE_OK);
}

static void test_policy_digest(void **state)
{
	static struct keys_tpm_signed_policy policy;
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE] = { 0 };
	uint8_t digest[KEYS_TPM_DIGEST_SIZE], expected[KEYS_TPM_DIGEST_SIZE];

	(void)state;
	read_key(talos_policy_key, &policy);
	assert_int_equal(policy.modulus_size, 512);
	assert_int_equal(policy.exponent, 65537);
	assert_int_equal(keys_tpm_policy_digest(&policy, 0, values, digest, NULL), MORTISE_OK);
	from_hex(talos_policy_no_pcrs, expected, sizeof(expected));
	assert_memory_equal(digest, expected, sizeof(digest));
	from_hex(talos_policy_pcr_value, values[0], sizeof(values[0]));
	from_hex(talos_policy_pcr_value, values[11], sizeof(values[11]));
	assert_int_equal(keys_tpm_policy_digest(&policy, 1u << 0 | 1u << 11, values, digest, NULL),
			 MORTISE_OK);
	from_hex(talos_policy_pcrs_0_11, expected, sizeof(expected));
	assert_memory_equal(digest, expected, sizeof(digest));
	/* A policy without conditions. */
	assert_int_equal(keys_tpm_policy_digest(NULL, 0, values, digest, NULL), MORTISE_OK);
	memset(expected, 0, sizeof(expected));
	assert_memory_equal(digest, expected, sizeof(digest));
}

/* Computed with: printf '%064d%064d' 0 1 | xxd -r -p | sha256sum */
static void test_extended(void **state)
{
	static const char first[] =
		"90f4b39548df55ad6187a1d20d731ecee78c545b94afd16f42ef7592d99cd365";
	uint8_t before[KEYS_TPM_DIGEST_SIZE] = { 0 }, digest[KEYS_TPM_DIGEST_SIZE] = { 0 };
	uint8_t after[KEYS_TPM_DIGEST_SIZE], expected[KEYS_TPM_DIGEST_SIZE];

	(void)state;
	digest[KEYS_TPM_DIGEST_SIZE - 1] = 1;
	from_hex(first, expected, sizeof(expected));
	assert_int_equal(keys_tpm_extended(before, digest, after, NULL), MORTISE_OK);
	assert_memory_equal(after, expected, sizeof(after));
}

static void test_fingerprint(void **state)
{
	static struct keys_tpm_signed_policy policy;
	uint8_t print[KEYS_TPM_DIGEST_SIZE], expected[KEYS_TPM_DIGEST_SIZE];

	(void)state;
	read_key(talos_policy_key, &policy);
	assert_int_equal(keys_tpm_fingerprint(&policy, print, NULL), MORTISE_OK);
	from_hex(talos_policy_fingerprint, expected, sizeof(expected));
	assert_memory_equal(print, expected, sizeof(print));
	read_key(large_exponent_key, &policy);
	assert_int_equal(policy.exponent, 2147483649);
	assert_int_equal(keys_tpm_fingerprint(&policy, print, NULL), MORTISE_OK);
	from_hex(large_exponent_fingerprint, expected, sizeof(expected));
	assert_memory_equal(print, expected, sizeof(print));
}

static const struct {
	const char *pem;
	enum mortise_code code;
} keys[] = {
	{ "", MORTISE_E_SOURCE },
	{ "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", MORTISE_E_SOURCE },
	{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", MORTISE_E_SOURCE },
	/* P-256. */
	{ "-----BEGIN PUBLIC KEY-----\n"
	  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXbJxfif4RCGbcQkPl5mff3DwcRRF\n"
	  "eUTWx4xlmNQKhalnPTjlk3Q7EAyx/Mq8eYNG+eOoNHQR/llX/0KH959wIQ==\n"
	  "-----END PUBLIC KEY-----\n",
	  MORTISE_E_SOURCE },
	/* RSA with 1024 bits. */
	{ "-----BEGIN PUBLIC KEY-----\n"
	  "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDPjKmexyxjjC6EsjlNdoUV52x3\n"
	  "/eybs9tIeQQfsLOhVkiDDWrB9epkrrCu30999TlihGOsfFu2N0kGngyKYCfc0pEo\n"
	  "6XOYUTiVsx92h12mr6DaUSpmb71CYAINI6kBISfTOtOyXehKC6YeL7R6P1l0k1vF\n"
	  "kLdBZ1Dt4XAqo4DwnwIDAQAB\n"
	  "-----END PUBLIC KEY-----\n",
	  MORTISE_E_UNSUPPORTED },
};

static void test_public_key(void **state)
{
	static struct keys_tpm_signed_policy policy;
	struct mortise_error err;

	(void)state;
	policy.signature_count = 3;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(
			keys_tpm_public_key(keys[i].pem, strlen(keys[i].pem), &policy, &err),
			keys[i].code);
		assert_int_equal(policy.modulus_size, 0);
	}
	/* A truncated key: the size is used, not a terminating NUL. */
	assert_int_equal(keys_tpm_public_key(talos_policy_key, 300, &policy, &err),
			 MORTISE_E_SOURCE);
	assert_int_equal(
		keys_tpm_public_key(talos_policy_key, strlen(talos_policy_key), &policy, &err),
		MORTISE_OK);
	assert_int_equal(policy.signature_count, 3);
}

/*
 * TPMT_PUBLIC, encoded by hand from the TCG's template for an ECC P-256 storage key (TPM v2.0
 * Provisioning Guidance, section 7.5.1), with 32 zero bytes in each coordinate: type, nameAlg,
 * attributes, policy; AES, 128, CFB; scheme, curve, kdf.
 */
static const char srk_template[] =
	"0023"
	"000b"
	"00030472"
	"0000"
	"0006"
	"0080"
	"0043"
	"0010"
	"0003"
	"0010"
	"0020"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0020"
	"0000000000000000000000000000000000000000000000000000000000000000";

/* keyedHash, SHA-256, fixedTPM|fixedParent|noDA, the policy, scheme NULL, empty unique. */
static const char sealed_template[] =
	"0008"
	"000b"
	"00000412"
	"0020"
	"14ff86f8069ce4f2c918325e2e1b7811cfc5e6278dd10b86a90416c28fe6476a"
	"0010"
	"0000";

static void check_template(const TPM2B_PUBLIC *template, const char *expected)
{
	struct keys_tpm_library library;
	uint8_t bytes[512], wanted[512];
	size_t size = 0;

	assert_int_equal(keys_tpm_library_load(&library, NULL), MORTISE_OK);
	assert_int_equal(
		library.Tss2_MU_TPM2B_PUBLIC_Marshal(template, bytes, sizeof(bytes), &size), 0);
	assert_int_equal(size, 2 + strlen(expected) / 2);
	from_hex(expected, wanted, sizeof(wanted));
	assert_memory_equal(bytes + 2, wanted, size - 2);
	keys_tpm_library_unload(&library);
}

static void test_templates(void **state)
{
	uint8_t policy_hash[KEYS_TPM_DIGEST_SIZE];
	TPM2B_PUBLIC template;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	keys_tpm_srk_template(&template);
	check_template(&template, srk_template);
	from_hex(talos_policy_pcrs_0_11, policy_hash, sizeof(policy_hash));
	keys_tpm_sealed_template(&template, policy_hash);
	check_template(&template, sealed_template);
}

/* ------------------------------------------------------------------- response codes */

static const struct {
	TSS2_RC rc;
	enum mortise_code code;
	const char *part;
} answers[] = {
	{ 0x921, MORTISE_E_UNREACHABLE, "the TPM is in lockout after too many wrong passwords" },
	{ 0x922, MORTISE_E_UNREACHABLE, "the TPM is busy" },
	{ 0x908, MORTISE_E_UNREACHABLE, "the TPM is busy" },
	{ 0x90a, MORTISE_E_UNREACHABLE, "the TPM is busy" },
	{ 0x920, MORTISE_E_UNREACHABLE, "the TPM is busy" },
	{ 0x128, MORTISE_E_UNREACHABLE, "a PCR was extended" },
	/* For session 1, for handle 1, and for neither. */
	{ 0x98e, MORTISE_E_SOURCE, "the TPM refuses an empty password" },
	{ 0x9a2, MORTISE_E_SOURCE, "the TPM refuses an empty password" },
	{ 0x08e, MORTISE_E_SOURCE, "the TPM refuses an empty password" },
	{ 0x185, MORTISE_E_SOURCE, "the TPM's owner hierarchy is disabled" },
	{ 0x101, MORTISE_E_SOURCE, "the TPM is in failure mode" },
	{ 0x902, MORTISE_E_SOURCE, "the TPM has no room left" },
	{ 0x903, MORTISE_E_SOURCE, "the TPM has no room left" },
	{ 0x80001, MORTISE_E_SOURCE, "this is a TPM 1.2" },
	{ 0x01e, MORTISE_E_SOURCE, "this is a TPM 1.2" },
	/* The kernel's resource manager returns the second code in place of the TPM. */
	{ 0x143, MORTISE_E_UNSUPPORTED,
	  "this TPM does not support the command (TPM2_Create: 0x00000143)" },
	{ 0xc0143, MORTISE_E_UNSUPPORTED,
	  "this TPM does not support the command (TPM2_Create: 0x000c0143)" },
	/* Parameter 1 of TPM2_Load. */
	{ 0x1df, MORTISE_E_STALE, "the sealed object was created by another TPM" },
	{ 0x99d, MORTISE_E_STALE, "the policy of the sealed object differs" },
	{ 0x70017, MORTISE_E_MEMORY, "out of memory" },
	{ 0xa000a, MORTISE_E_UNREACHABLE, "the TPM does not answer TPM2_Create (0x000a000a)" },
	{ 0x7001b, MORTISE_E_SOURCE, "the response to TPM2_Create is not from the TPM" },
	/* 0x921 from another layer has another meaning. */
	{ 0x70921, MORTISE_E_SOURCE, "the TPM refused TPM2_Create with 0x00070921" },
	{ 0x2d5, MORTISE_E_SOURCE, "the TPM refused TPM2_Create with 0x000002d5" },
};

static void test_answers(void **state)
{
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(keys_tpm_failed(answers[i].rc, "TPM2_Create", &err),
				 answers[i].code);
		assert_int_equal(err.code, answers[i].code);
		if (strstr(err.text, answers[i].part) != err.text)
			fail_msg("0x%x: %s", answers[i].rc, err.text);
	}
	assert_true(keys_tpm_busy(0x922));
	assert_false(keys_tpm_busy(0x921));
	assert_false(keys_tpm_busy(0));
	/* Format 1, error 0x22, session 1: not the same as 0x922. */
	assert_false(keys_tpm_busy(0x9a2));
}

static void test_pcr_list(void **state)
{
	char list[KEYS_TPM_PCR_LIST_MAX];

	(void)state;
	keys_tpm_pcr_list(1u << 7, "or ", list);
	assert_string_equal(list, "PCR 7");
	keys_tpm_pcr_list(1u << 7 | 1u << 0, "or ", list);
	assert_string_equal(list, "PCR 0 or PCR 7");
	keys_tpm_pcr_list(1u << 7 | 1u << 0 | 1u << 23, "and ", list);
	assert_string_equal(list, "PCR 0, PCR 7 and PCR 23");
	keys_tpm_pcr_list(KEYS_TPM_PCR_MASK, "and ", list);
	assert_string_equal(strrchr(list, 'a'), "and PCR 23");
}

/* -------------------------------------------------------------------------- Secure Boot */

#define GUID	"8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define REFUSED "failed to enroll the TPM2 key, as "

static void put(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s-" GUID, dir, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void check_secureboot(const char *dir, enum mortise_code code, const char *text)
{
	struct mortise_error err = { 0 };

	assert_int_equal(keys_secureboot_check(dir, &err), code);
	if (text)
		assert_string_equal(err.text, text);
}

static void test_secureboot(void **state)
{
	static const char disabled[] =
		REFUSED "SecureBoot is disabled (and checkSecurebootOnEnroll is enabled)";
	char dir[] = "/tmp/mortise-efivars.XXXXXX", path[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	check_secureboot(dir, MORTISE_E_POLICY, disabled);
	put(dir, "SecureBoot", "\6\0\0\0\1", 5);
	check_secureboot(dir, MORTISE_E_POLICY, NULL);
	put(dir, "SetupMode", "\6\0\0\0\0", 5);
	check_secureboot(dir, MORTISE_OK, NULL);
	put(dir, "SecureBoot", "\6\0\0\0\0", 5);
	check_secureboot(dir, MORTISE_E_POLICY, disabled);
	put(dir, "SecureBoot", "\6\0\0\0\1", 5);
	put(dir, "SetupMode", "\6\0\0\0\1", 5);
	check_secureboot(dir, MORTISE_E_POLICY,
			 REFUSED "the system is in SecureBoot setup mode (and "
				 "checkSecurebootOnEnroll is enabled)");
	/* A variable of the wrong size must not count as enabled. */
	put(dir, "SetupMode", "\6\0\0\0", 4);
	check_secureboot(dir, MORTISE_E_POLICY, NULL);
	put(dir, "SetupMode", "\6\0\0\0\0", 5);
	put(dir, "SecureBoot", "\6\0\0\0\1\0", 6);
	check_secureboot(dir, MORTISE_E_POLICY, NULL);
	snprintf(path, sizeof(path), "%s/SecureBoot-" GUID, dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/SetupMode-" GUID, dir);
	unlink(path);
	rmdir(dir);
}

/* ------------------------------------------------------------------------------ memory */

static void test_memory_layout(void **state)
{
	const struct keys_tpm_memory written = {
		.facts = true,
		.headers_sealed = true,
		.state_keys = 0x8001,
		.volume_count = 1,
		.volumes[0] = { .volume = "volume01", .epoch = UINT64_C(0x0102030405060708) },
	};
	static const uint8_t expected[32] = "mortise\1\0\5\x80\1\0\1\0\0volume01\1\2\3\4\5\6\7\10";
	uint8_t bytes[KEYS_TPM_MEMORY_SIZE];
	struct keys_tpm_memory read;

	(void)state;
	keys_tpm_memory_encode(&written, bytes);
	assert_memory_equal(bytes, expected, sizeof(expected));
	assert_true(keys_tpm_memory_parse(bytes, &read));
	assert_memory_equal(&read.volumes[0], &written.volumes[0], sizeof(read.volumes[0]));
	assert_true(read.facts && !read.state_encrypted && read.headers_sealed);
	assert_int_equal(read.state_keys, 0x8001);
	assert_int_equal(read.volume_count, 1);
}

/* The count of a full memory, then one more: the 32nd volume would be behind the index. */
static void test_memory_count(void **state)
{
	struct keys_tpm_memory memory = { .volume_count = KEYS_TPM_MEMORY_VOLUMES };
	uint8_t bytes[KEYS_TPM_MEMORY_SIZE];

	(void)state;
	for (size_t i = 0; i < KEYS_TPM_MEMORY_VOLUMES; i++)
		memory.volumes[i].volume[0] = (uint8_t)(i + 1);
	keys_tpm_memory_encode(&memory, bytes);
	assert_true(keys_tpm_memory_parse(bytes, &memory));
	bytes[13]++;
	assert_false(keys_tpm_memory_parse(bytes, &memory));
	assert_int_equal(memory.volume_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_tpm),	      cmocka_unit_test(test_tpm_refused),
		cmocka_unit_test(test_tpm_in_use),    cmocka_unit_test(test_not_installed),
		cmocka_unit_test(test_usage),	      cmocka_unit_test(test_policy_digest),
		cmocka_unit_test(test_pcr_value),     cmocka_unit_test(test_extended),
		cmocka_unit_test(test_fingerprint),   cmocka_unit_test(test_public_key),
		cmocka_unit_test(test_templates),     cmocka_unit_test(test_answers),
		cmocka_unit_test(test_pcr_list),      cmocka_unit_test(test_secureboot),
		cmocka_unit_test(test_memory_layout), cmocka_unit_test(test_memory_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
