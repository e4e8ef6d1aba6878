/* SPDX-License-Identifier: MIT */
#include "declared/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define FILE_MAX     (64u << 10)
#define COMMAND_LINE "/proc/cmdline"

/* Reads the file that is open as fd, which this closes. */
static enum mortise_code parse_file(int fd, const char *path, struct config_trust **out,
				    struct mortise_error *err)
{
	struct mortise_secret *text = NULL;
	enum mortise_code code = file_check_writers(fd, path, err);

	if (!code)
		code = file_read_secret(fd, path, FILE_MAX, &text, err);
	close(fd);
	if (code)
		return code;
	code = config_trust_parse((const char *)mortise_secret_data(text),
				  mortise_secret_size(text), path, out, err);
	mortise_secret_free(&text);
	return code;
}

static enum mortise_code load_file(const char *path, struct config_trust **out,
				   struct mortise_error *err)
{
	const char *file = path ? path : CONFIG_TRUST_FILE;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return parse_file(fd, file, out, err);
	if (path || errno != ENOENT)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read the trust file %s",
				 file);
	*out = config_trust_new();
	return *out ? MORTISE_OK : error_memory(err);
}

static enum mortise_code load_command_line(struct config_trust **out, struct mortise_error *err)
{
	char text[CONFIG_COMMAND_LINE_MAX];
	ssize_t size = file_read_text(COMMAND_LINE, text, sizeof(text));

	/* Cut off, it could lack a word. */
	if (size < 0 || size == sizeof(text) - 1)
		return error_set(err, MORTISE_E_SYSTEM, size < 0 ? errno : 0,
				 "cannot read the kernel command line in " COMMAND_LINE);
	return config_trust_parse_command_line(text, (size_t)size, out, err);
}

/* What an attacker wrote to META is replaced; an operator's configuration is corrected. */
static const char *get_remedy(bool from_meta, const char *correction)
{
	return from_meta ? "restore the configuration with `mortise apply -f config.yaml`"
			 : correction;
}

static enum mortise_code refuse_kind(const struct config_trust *trust, const struct config_key *key,
				     bool from_meta, struct mortise_error *err)
{
	char permitted[64] = "";
	size_t used = 0;

	for (unsigned kind = CONFIG_KEY_STATIC; kind <= CONFIG_KEY_TPM; kind++)
		if (trust->state_keys & 1u << kind)
			used += (size_t)snprintf(permitted + used, sizeof(permitted) - used, "%s%s",
						 used ? ", " : "",
						 config_key_kind_name((enum config_key_kind)kind));
	return error_set(
		err, MORTISE_E_POLICY, 0,
		"cannot trust the configuration of STATE: it has a %s key (keyslot %u), but "
		"%s permits only %s; %s",
		config_key_kind_name(key->kind), key->slot, trust->source, permitted,
		get_remedy(from_meta, "declare other keys"));
}

enum mortise_code volume_trust_check_state(const struct config_trust *trust,
					   const struct config_volume *state, bool from_meta,
					   struct mortise_error *err)
{
	if (trust->state_encrypted && !state->encrypted)
		return error_set(
			err, MORTISE_E_POLICY, 0,
			"cannot trust the configuration of STATE: it is not encrypted, but "
			"%s requires it; %s",
			trust->source, get_remedy(from_meta, "declare its encryption"));
	for (size_t i = 0; i < state->key_count; i++)
		if (!(trust->state_keys & 1u << state->keys[i].kind))
			return refuse_kind(trust, &state->keys[i], from_meta, err);
	return MORTISE_OK;
}

enum mortise_code volume_trust_load(const char *path, struct config_trust **out,
				    struct mortise_error *err)
{
	struct config_trust *trust = NULL, *words = NULL;
	enum mortise_code code;

	*out = NULL;
	code = load_file(path, &trust, err);
	if (!code)
		code = load_command_line(&words, err);
	if (!code)
		code = config_trust_join(trust, words, err);
	config_trust_free(words);
	if (code)
		config_trust_free(trust);
	else
		*out = trust;
	return code;
}
