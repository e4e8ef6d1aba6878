/* SPDX-License-Identifier: MIT */
/* The signed PCR 11 policy of a boot image, as systemd-stub passes it to the initrd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "volume/sealed.h"

#define PUBLIC_KEY_FILE "tpm2-pcr-public-key.pem"
#define SIGNATURE_FILE	"tpm2-pcr-signature.json"
#define FILE_SIZE_MAX	(1u << 20) /* bytes */

/* Decodes a member that is a hex string of exactly size bytes. */
static bool read_digest(struct json_object *entry, const char *key,
			uint8_t digest[static KEYS_TPM_DIGEST_SIZE])
{
	const char *text = luks2_json_text(entry, key);

	return text && hex_decode(text, digest, KEYS_TPM_DIGEST_SIZE);
}

static bool is_of_pcrs(struct json_object *entry, uint32_t wanted)
{
	struct json_object *array = luks2_json_get(entry, "pcrs", json_type_array);
	uint32_t pcrs = 0;

	if (!wanted)
		wanted = UINT32_C(1) << KEYS_TPM_SIGNED_PCR;
	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		int64_t pcr = json_object_get_int64(json_object_array_get_idx(array, i));

		if (pcr < 0 || pcr >= MORTISE_PCRS)
			return false;
		pcrs |= UINT32_C(1) << pcr;
	}
	return pcrs == wanted;
}

static enum mortise_code read_entry(struct json_object *entry, size_t i,
				    struct keys_tpm_signed_policy *policy,
				    struct mortise_error *err)
{
	struct keys_tpm_signature *signature;

	if (!is_of_pcrs(entry, policy->pcrs))
		return MORTISE_OK;
	if (policy->signature_count == KEYS_TPM_SIGNATURES_MAX)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "PCR signature JSON: more than %u signatures of the same PCRs",
				 KEYS_TPM_SIGNATURES_MAX);
	signature = &policy->signatures[policy->signature_count];
	signature->signature_size = sizeof(signature->signature);
	if (!read_digest(entry, "pol", signature->policy) ||
	    !read_digest(entry, "pkfp", signature->fingerprint) ||
	    !luks2_json_base64(entry, "sig", signature->signature, &signature->signature_size) ||
	    !signature->signature_size)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "PCR signature JSON: %s[%zu] needs pol and pkfp (64 hex "
				 "digits) and sig (base64, at most %u bytes)",
				 volume_pcr_bank_name(policy->bank), i, KEYS_TPM_MODULUS_MAX);
	policy->signature_count++;
	return MORTISE_OK;
}

enum mortise_code volume_signatures_parse(const char *text, size_t size,
					  struct keys_tpm_signed_policy *policy,
					  struct mortise_error *err)
{
	struct json_object *root = NULL, *entries;
	enum mortise_code code = MORTISE_OK;
	const char *why = "too long";
	size_t end;

	policy->signature_count = 0;
	if (size <= FILE_SIZE_MAX)
		root = luks2_json_parse(text, size, &end, &why);
	if (!root)
		return error_set(err, MORTISE_E_SOURCE, 0, "PCR signature JSON: %s", why);
	entries = luks2_json_get(root, volume_pcr_bank_name(policy->bank), json_type_array);
	if (!entries)
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "PCR signature JSON: it is not an object with an array %s",
				 volume_pcr_bank_name(policy->bank));
	for (size_t i = 0; !code && i < json_object_array_length(entries); i++)
		code = read_entry(json_object_array_get_idx(entries, i), i, policy, err);
	json_object_put(root);
	return code;
}

/* *text is NULL if the file does not exist; free(3) it. */
static enum mortise_code read_file(const char *directory, const char *name, char **text,
				   size_t *size, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char path[512];
	ssize_t got;
	int fd;

	*text = NULL;
	*size = 0;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return MORTISE_OK;
	if (fd < 0)
		return error_set(err, MORTISE_E_SOURCE, errno, "cannot open %s", path);
	*text = malloc(FILE_SIZE_MAX + 1);
	if (!*text) {
		code = error_memory(err);
		goto out;
	}
	got = file_read_fd(fd, *text, FILE_SIZE_MAX + 1);
	*size = got > 0 ? (size_t)got : 0;
	if (got < 0)
		code = error_set(err, MORTISE_E_SOURCE, errno, "cannot read %s", path);
	else if (*size > FILE_SIZE_MAX)
		code = error_set(err, MORTISE_E_SOURCE, 0, "%s is larger than 1 MiB", path);
out:
	if (code) {
		free(*text);
		*text = NULL;
	}
	close(fd);
	return code;
}

/* *out stays NULL if one of the two files is missing. */
static enum mortise_code read_directory(const char *directory, struct keys_tpm_signed_policy **out,
					struct mortise_error *err)
{
	struct keys_tpm_signed_policy *policy = NULL;
	char *key = NULL, *signatures = NULL;
	size_t key_size, signatures_size;
	enum mortise_code code;

	*out = NULL;
	code = read_file(directory, PUBLIC_KEY_FILE, &key, &key_size, err);
	if (!code)
		code = read_file(directory, SIGNATURE_FILE, &signatures, &signatures_size, err);
	if (code || !key || !signatures)
		goto out;
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		code = error_memory(err);
	if (!code)
		code = keys_tpm_public_key(key, key_size, policy, err);
	if (!code)
		code = volume_signatures_parse(signatures, signatures_size, policy, err);
	if (code) {
		error_prefix(err, "%s", directory);
		free(policy);
		policy = NULL;
	}
	*out = policy;
out:
	free(signatures);
	free(key);
	return code;
}

/* systemd-stub puts the files into /.extra; systemd copies them to /run/systemd. */
static const char *const usual[] = { "/.extra", "/run/systemd" };
#define USUAL (sizeof(usual) / sizeof(*usual))

/* Reads a file of directory, or of the first usual directory that has it. */
static enum mortise_code read_one(const char *directory, const char *name, char **text,
				  size_t *size, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	*text = NULL;
	if (directory)
		code = read_file(directory, name, text, size, err);
	for (size_t i = 0; !code && !directory && !*text && i < USUAL; i++)
		code = read_file(usual[i], name, text, size, err);
	if (!code && !*text)
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "%s lacks %s: this boot image has no signed policy",
				 directory ? directory : "/run/systemd", name);
	return code;
}

enum mortise_code volume_signatures_read(const char *directory,
					 struct keys_tpm_signed_policy *policy,
					 struct mortise_error *err)
{
	char *text;
	size_t size;
	enum mortise_code code = read_one(directory, SIGNATURE_FILE, &text, &size, err);

	if (!code)
		code = volume_signatures_parse(text, size, policy, err);
	free(text);
	return code;
}

enum mortise_code volume_signed_policy_pem(const char *directory,
					   uint8_t pem[static VOLUME_PEM_MAX], size_t *size,
					   struct mortise_error *err)
{
	char *text;
	enum mortise_code code = read_one(directory, PUBLIC_KEY_FILE, &text, size, err);

	if (!code && *size > VOLUME_PEM_MAX)
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 PUBLIC_KEY_FILE " is larger than %u bytes", VOLUME_PEM_MAX);
	if (!code && text)
		memcpy(pem, text, *size);
	free(text);
	return code;
}

enum mortise_code volume_signed_policy(const char *directory, struct keys_tpm_signed_policy **out,
				       struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	*out = NULL;
	if (directory) {
		code = read_directory(directory, out, err);
		if (!code && !*out)
			code = error_set(err, MORTISE_E_SOURCE, 0,
					 "%s lacks " PUBLIC_KEY_FILE " or " SIGNATURE_FILE,
					 directory);
		return code;
	}
	for (size_t i = 0; !code && !*out && i < USUAL; i++)
		code = read_directory(usual[i], out, err);
	return code;
}
