/* SPDX-License-Identifier: MIT */
/* Unlocking in cryptsetup's order, with its messages. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/sources.h"
#include "cli/luks/unlock.h"

#define TRIES_DEFAULT 3u
#define TYPE_BUILT_IN "luks2-keyring" /* the only token type built into cryptsetup */

bool unlock_wants_token(const struct command *c)
{
	return option_set(&c->options, OPTION_TOKEN_ID) ||
	       option_set(&c->options, OPTION_TOKEN_ONLY) ||
	       option_set(&c->options, OPTION_TOKEN_TYPE);
}

/* Prints what cryptsetup -v reports about the requested token or type. */
static void say_token(const struct command *c, enum mortise_code code)
{
	const char *type = option_text(&c->options, OPTION_TOKEN_TYPE);
	const char *what = code == MORTISE_E_KEY ? "cannot unlock assigned keyslot(s) (wrong "
						   "keyslot passphrase)"
						 : "requires additional missing resource";
	int id = option_slot(&c->options, OPTION_TOKEN_ID);

	if (code == MORTISE_E_NO_TOKEN && type)
		verbose(c, "No usable token (type %s) is available.", type);
	else if (code == MORTISE_E_NO_TOKEN)
		verbose(c, "No usable token is available.");
	else if (id != MORTISE_ANY)
		verbose(c, "Token %d %s.", id, what);
	else if (type)
		verbose(c, "Token (type %s) %s.", type, what);
}

/*
 * Is the library's error printed? cryptsetup does not report tokens that are missing or whose
 * passphrase does not match. Under the name mortise, an error is printed if a token was asked for.
 */
static bool tells(const struct command *c, enum mortise_code code)
{
	if (c->as_cryptsetup)
		return code != MORTISE_E_NO_TOKEN && code != MORTISE_E_KEY && code != MORTISE_E_PIN;
	return code != MORTISE_E_NO_TOKEN || unlock_wants_token(c);
}

/* Only a terminal is asked again. */
static uint32_t tries(const struct command *c)
{
	if (!passphrase_is_stdin(option_text(&c->options, OPTION_KEY_FILE)) ||
	    !isatty(STDIN_FILENO))
		return 1;
	return option_set(&c->options, OPTION_TRIES) ? option_number32(&c->options, OPTION_TRIES)
						     : TRIES_DEFAULT;
}

/* Asks for the PIN that a token needs, if a token was asked for, as cryptsetup does. */
static enum mortise_code open_with_pin(const struct command *c, struct mortise_luks2 *header,
				       const struct mortise_token_search *search,
				       struct mortise_key_sources *sources,
				       struct mortise_secret **volume_key, int *opened,
				       struct mortise_error *err)
{
	struct passphrase_source source = { .device = "", .prompt = "Enter token PIN: " };
	enum mortise_code code = MORTISE_E_PIN;
	uint32_t left = tries(c);
	char prompt[40];

	if (search->token != MORTISE_ANY) {
		snprintf(prompt, sizeof(prompt), "Enter token %d PIN: ", search->token);
		source.prompt = prompt;
	}
	do {
		struct mortise_secret *pin = NULL;

		if (passphrase_read(c, &source, &pin) != STATUS_OK)
			return MORTISE_E_PIN;
		sources->tpm_pin = pin;
		code = mortise_token_open(header, search, sources, volume_key, opened, NULL, err);
		sources->tpm_pin = NULL;
		mortise_secret_free(&pin);
		if (code == MORTISE_E_KEY && left > 1)
			print_to(stderr, "mortise: %s\n", err->text);
	} while (code == MORTISE_E_KEY && left-- > 1);
	return code;
}

enum status unlock_by_token(const struct command *c, struct mortise_luks2 *header,
			    struct mortise_secret **volume_key, int *opened)
{
	bool built_in = option_set(&c->options, OPTION_DISABLE_EXTERNAL_TOKENS);
	struct mortise_token_search search = {
		.struct_size = sizeof(search),
		.token = option_slot(&c->options, OPTION_TOKEN_ID),
		.type = option_text(&c->options, OPTION_TOKEN_TYPE),
		.keyslot = MORTISE_ANY,
	};
	struct mortise_error err = { .code = MORTISE_E_NO_TOKEN, .text = "No usable token." };
	enum mortise_code code = MORTISE_E_NO_TOKEN;
	struct mortise_key_sources sources;

	/* cryptsetup prints nothing for an invalid token number. */
	if (search.token < MORTISE_ANY || search.token >= (int)MORTISE_TOKENS_MAX)
		return STATUS_USAGE;
	if (built_in && !search.type)
		search.type = TYPE_BUILT_IN;
	sources_fill(c, &sources);
	if (!built_in || strcmp(search.type, TYPE_BUILT_IN) == 0)
		code = mortise_token_open(header, &search, &sources, volume_key, opened, NULL,
					  &err);
	debug(c, "tokens: %s", code ? err.text : "one opens a keyslot");
	if (code == MORTISE_E_PIN && unlock_wants_token(c))
		code = open_with_pin(c, header, &search, &sources, volume_key, opened, &err);
	if (code == MORTISE_OK)
		return STATUS_OK;
	/* The error is that of the header: the passphrase, which is tried next, gets the same one. */
	if (code == MORTISE_E_POLICY && strncmp(err.text, "token ", strlen("token ")) != 0 &&
	    !option_set(&c->options, OPTION_TOKEN_ONLY))
		return (enum status)mortise_exit_status(code);
	if (tells(c, code))
		print_to(stderr, "mortise: %s%s\n", err.text,
			 code == MORTISE_E_PIN && !unlock_wants_token(c)
				 ? "; to enter it, use --token-only"
				 : "");
	/* LUKS1 has no tokens. */
	if (unlock_wants_token(c) || header_version(header) != 1)
		say_token(c, code);
	return (enum status)mortise_exit_status(code);
}

bool unlock_token_passphrase(const struct command *c, struct mortise_luks2 *header, int keyslot,
			     struct mortise_secret **passphrase)
{
	struct passphrase_source source = { .device = "", .prompt = "Enter token PIN: " };
	struct mortise_secret *pin = NULL;
	struct mortise_key_sources sources;
	struct mortise_error err;
	enum mortise_code code;

	if (c->as_cryptsetup || option_set(&c->options, OPTION_KEY_FILE))
		return false;
	sources_fill(c, &sources);
	code = mortise_token_keyslot_passphrase(header, keyslot, &sources, passphrase, &err);
	if (code == MORTISE_E_PIN && passphrase_read(c, &source, &pin) == STATUS_OK) {
		sources.tpm_pin = pin;
		code = mortise_token_keyslot_passphrase(header, keyslot, &sources, passphrase,
							&err);
		mortise_secret_free(&pin);
	}
	debug(c, "passphrase of a token: %s", code ? err.text : "found");
	if (code && code != MORTISE_E_NO_TOKEN && !option_set(&c->options, OPTION_BATCH_MODE))
		print_to(stderr, "mortise: %s\n", err.text);
	return code == MORTISE_OK;
}

bool unlock_in_reencryption(const struct mortise_luks2 *header)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };

	return mortise_reencrypt_info(header, &info, NULL) == MORTISE_OK;
}

/* The error remains that of the passphrase, so that it does not reveal recovery keys. */
static enum mortise_code open_keyslot(struct mortise_luks2 *header,
				      const struct mortise_key_search *search,
				      const struct mortise_secret *passphrase,
				      struct mortise_secret **volume_key, int *opened,
				      struct mortise_error *err)
{
	struct mortise_secret *recovered = NULL;
	enum mortise_code code;

	if (unlock_in_reencryption(header))
		return mortise_reencrypt_unlock(header, passphrase, search->keyslot, volume_key,
						opened, err);
	code = mortise_keyslot_open(header, search, passphrase, volume_key, opened, err);
	if (code != MORTISE_E_KEY ||
	    mortise_recovery_open(header, passphrase, &recovered, opened, NULL))
		return code;
	if (search->keyslot == MORTISE_ANY || search->keyslot == *opened) {
		*volume_key = recovered;
		return MORTISE_OK;
	}
	mortise_secret_free(&recovered);
	return code;
}

enum status unlock_by_passphrase(const struct command *c, const struct unlock_passphrase *how,
				 struct mortise_luks2 *header, struct mortise_secret **volume_key)
{
	struct mortise_secret *passphrase = NULL;
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	uint32_t left = tries(c);
	enum mortise_code code;
	enum status status;
	int opened;

	do {
		passphrase_source(c, how->device, &source);
		source.prompt = how->prompt;
		status = passphrase_read(c, &source, &passphrase);
		if (status != STATUS_OK)
			return status;
		code = open_keyslot(header, &how->search, passphrase, volume_key, &opened, &err);
		mortise_secret_free(&passphrase);
		if (code == MORTISE_OK) {
			say_slot(c, opened, SLOT_UNLOCKED);
			return STATUS_OK;
		}
		status = fail_passphrase(c, &err);
	} while (code == MORTISE_E_KEY && left-- > 1);
	return status;
}

enum status unlock_keyslot(const struct command *c, const struct unlock_passphrase *how,
			   struct mortise_luks2 *header, struct mortise_secret **passphrase,
			   struct mortise_secret **volume_key, int *opened)
{
	struct passphrase_source source;
	struct mortise_error err = { 0 };
	enum status status;

	passphrase_source(c, how->device, &source);
	source.prompt = how->prompt;
	status = passphrase_read(c, &source, passphrase);
	if (status != STATUS_OK)
		return status;
	if (!mortise_keyslot_open(header, &how->search, *passphrase, volume_key, opened, &err))
		return STATUS_OK;
	mortise_secret_free(passphrase);
	return fail_passphrase(c, &err);
}

enum status unlock_volume(const struct command *c, const struct unlock_passphrase *how,
			  struct mortise_luks2 *header, struct mortise_secret **volume_key)
{
	struct mortise_reencrypt_info reencryption = { .struct_size = sizeof(reencryption) };
	struct mortise_error err = { 0 };
	enum mortise_code code;
	enum status status;
	int opened;

	/* Before a token and a passphrase are tried, which would both report it. */
	code = mortise_reencrypt_info(header, &reencryption, &err);
	if (code == MORTISE_E_USAGE)
		code = mortise_header_usable(header, &err);
	if (code)
		return fail(c, &err);
	status = unlock_by_token(c, header, volume_key, &opened);
	if (status == STATUS_OK)
		say_slot(c, opened, SLOT_UNLOCKED);
	if (status == STATUS_OK || option_set(&c->options, OPTION_TOKEN_ONLY) || signals_caught())
		return status;
	return unlock_by_passphrase(c, how, header, volume_key);
}

/* The order is that of luksAddKey. */
enum status unlock_header(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, struct mortise_secret **volume_key)
{
	const struct unlock_passphrase how = {
		.device = paths->header,
		.prompt = "Enter any existing passphrase: ",
		.search = { .struct_size = sizeof(how.search), .keyslot = MORTISE_ANY },
	};
	enum status status;
	int opened;

	if (header_has_volume_key(c))
		return header_read_volume_key(c, header, volume_key);
	if (!passphrase_is_stdin(option_text(&c->options, OPTION_KEY_FILE)) ||
	    !unlock_wants_token(c))
		return unlock_by_passphrase(c, &how, header, volume_key);
	status = unlock_by_token(c, header, volume_key, &opened);
	if (status == STATUS_OK)
		say_slot(c, opened, SLOT_UNLOCKED);
	return status;
}
