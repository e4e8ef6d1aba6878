/* SPDX-License-Identifier: MIT */
/* Unlocking with tokens, and with a recovery key whose keyslot a token marks. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sized.h"
#include "keys/hash.h"
#include "keys/sources/sources.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "volume/keyring.h"
#include "volume/sealed.h"

#define TOKEN_KEYRING "luks2-keyring"

/*
 * Type luks2-keyring, built into cryptsetup: the passphrase is a key in the caller's keyrings. As in
 * cryptsetup, a missing key counts as a wrong passphrase.
 */
static enum mortise_code keyring_get(struct json_object *token, struct mortise_secret **passphrase,
				     struct mortise_error *err)
{
	const char *description = luks2_json_text(token, "key_description");

	if (!description)
		return error_set(err, MORTISE_E_NO_TOKEN, 0, "the token has no key_description");
	return volume_keyring_get(syscall(SYS_request_key, "user", description, NULL, 0),
				  description, passphrase, err);
}

/* The token types and how they are linked to keyslots. */
struct giver {
	const char *type;
	bool by_number; /* token N belongs to keyslot N, regardless of its list */
};

static const struct giver givers[] = {
	{ VOLUME_TOKEN_KMS, true },
	{ VOLUME_TOKEN_TPM, true },
	{ VOLUME_TOKEN_SYSTEMD, false },
	{ TOKEN_KEYRING, false },
};

static const struct giver *giver_of(const char *type)
{
	for (size_t i = 0; i < sizeof(givers) / sizeof(*givers); i++)
		if (!strcmp(givers[i].type, type))
			return &givers[i];
	return NULL;
}

bool volume_token_is_numbered(struct json_object *metadata, int id)
{
	const char *type = luks2_json_text(luks2_token_get(metadata, id), "type");
	const struct giver *giver = type ? giver_of(type) : NULL;

	return giver && giver->by_number;
}

static enum mortise_code get_passphrase(struct mortise_luks2 *header, int id, const char *type,
					const struct mortise_key_sources *sources,
					struct mortise_secret **passphrase,
					struct mortise_error *err)
{
	if (!strcmp(type, VOLUME_TOKEN_TPM))
		return volume_tpm_get(sources, luks2_header_metadata(header), id, passphrase, err);
	if (!strcmp(type, VOLUME_TOKEN_SYSTEMD))
		return volume_systemd_get(sources, luks2_header_metadata(header), id, passphrase,
					  err);
	if (strcmp(type, VOLUME_TOKEN_KMS))
		return keyring_get(luks2_token_get(luks2_header_metadata(header), id), passphrase,
				   err);
	if (!sources->kms_endpoint)
		return error_set(err, MORTISE_E_NO_TOKEN, 0,
				 "the token does not name its KMS; give the endpoint");
	return volume_kms_get(sources, sources->kms_endpoint, luks2_header_metadata(header), id,
			      passphrase, err);
}

enum mortise_code mortise_token_passphrase(struct mortise_luks2 *header, int id,
					   const struct mortise_key_sources *sources,
					   struct mortise_secret **passphrase,
					   struct mortise_error *err)
{
	struct mortise_key_sources from = { .struct_size = sizeof(from) };
	struct mortise_token_info info = { .struct_size = sizeof(info) };
	enum mortise_code code = mortise_token_info(header, id, &info, err);

	if (!code && sources)
		code = sized_input(SIZED(mortise_key_sources), &from, sources, err);
	if (!code && !giver_of(info.type))
		code = error_set(err, MORTISE_E_NO_TOKEN, 0, "the token cannot be used");
	if (!code)
		code = get_passphrase(header, id, info.type, &from, passphrase, err);
	if (code)
		error_prefix(err, "token %d", id);
	return code;
}

/* The tokens to try, and their keyslots (bit n: keyslot n). */
struct attempt {
	struct mortise_luks2 *header;
	const struct mortise_token_search *search;
	const struct mortise_key_sources *sources;
	uint32_t keyslots;
	struct mortise_secret **passphrase; /* receives the one that opens a keyslot; may be NULL */
};

/* The wanted keyslots that a token may open. */
static uint32_t keyslots_of(const struct attempt *attempt, const struct mortise_token_info *info,
			    const struct giver *giver, int id)
{
	uint32_t keyslots = giver->by_number ? UINT32_C(1) << id : info->keyslots;

	return keyslots & attempt->keyslots;
}

static uint32_t keyslots_of_priority(const struct mortise_luks2 *header,
				     enum mortise_priority priority)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	uint32_t keyslots = 0;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (!mortise_keyslot_info(header, id, &info, NULL) && info.priority == priority)
			keyslots |= UINT32_C(1) << id;
	return keyslots;
}

static enum mortise_code try_keyslots(struct mortise_luks2 *header, uint32_t keyslots,
				      const struct mortise_secret *passphrase,
				      struct mortise_secret **volume_key, int *opened,
				      struct mortise_error *err)
{
	enum mortise_code code =
		error_set(err, MORTISE_E_NO_TOKEN, 0, "the token belongs to no keyslot");

	/* The passphrase opens one keyslot of each volume key. */
	if (keyslots && luks2_online_reencrypt_count(luks2_header_metadata(header)))
		return mortise_reencrypt_unlock(header, passphrase, MORTISE_ANY, volume_key, opened,
						err);
	for (int id = 0; code && code != MORTISE_E_CANCELED && id < (int)MORTISE_KEYSLOTS_MAX;
	     id++) {
		const struct mortise_key_search search = { .struct_size = sizeof(search),
							   .keyslot = id };

		if (keyslots & UINT32_C(1) << id)
			code = mortise_keyslot_open(header, &search, passphrase, volume_key, opened,
						    err);
	}
	return code;
}

/* *keyslots receives the wanted keyslots that the passphrase of the token may open. */
static enum mortise_code find_keyslots(const struct attempt *attempt, int id,
				       struct mortise_token_info *info, uint32_t *keyslots,
				       struct mortise_error *err)
{
	const char *type = attempt->search->type;
	const struct giver *giver;
	enum mortise_code code = mortise_token_info(attempt->header, id, info, err);

	if (code)
		return code;
	giver = giver_of(info->type);
	*keyslots = 0;
	if (giver && (!type || !strcmp(type, info->type)))
		*keyslots = keyslots_of(attempt, info, giver, id);
	return *keyslots ? MORTISE_OK
			 : error_set(err, MORTISE_E_NO_TOKEN, 0, "the token cannot be used");
}

static enum mortise_code try_token(const struct attempt *attempt, int id,
				   struct mortise_secret **volume_key, int *opened,
				   struct mortise_error *err)
{
	struct mortise_luks2 *header = attempt->header;
	struct mortise_token_info info = { .struct_size = sizeof(info) };
	struct mortise_secret *secret = NULL;
	uint32_t keyslots;
	enum mortise_code code = find_keyslots(attempt, id, &info, &keyslots, err);

	if (!code)
		code = get_passphrase(header, id, info.type, attempt->sources, &secret, err);
	if (!code)
		code = try_keyslots(header, keyslots, secret, volume_key, opened, err);
	if (code && info.type)
		error_prefix(err, "token %d (%s)", id, info.type);
	if (!code && attempt->passphrase) {
		*attempt->passphrase = secret;
		secret = NULL;
	}
	mortise_secret_free(&secret);
	return code;
}

/* Tries tokens in the order of their ids. *id receives the token that opened a keyslot. */
static enum mortise_code try_tokens(const struct attempt *attempt, int *id,
				    struct mortise_secret **volume_key, int *opened,
				    struct mortise_error *err)
{
	enum mortise_code code, last = MORTISE_E_NO_TOKEN;
	struct mortise_error why = { 0 };

	for (*id = 0; *id < (int)MORTISE_TOKENS_MAX; ++*id) {
		code = try_token(attempt, *id, volume_key, opened, &why);
		if (!code)
			return MORTISE_OK;
		if (code == MORTISE_E_CANCELED)
			return error_set(err, code, 0, "%s", why.text);
		/*
		 * The error of a token that was tried is more useful than one of an unusable token,
		 * and a PIN may be all that is missing.
		 */
		if (code != MORTISE_E_NO_TOKEN && last != MORTISE_E_PIN) {
			last = code;
			error_set(err, code, 0, "%s", why.text);
		}
	}
	return last;
}

/* As mortise_token_open(). search and sources are in the attempt. */
static enum mortise_code attempt_all(struct attempt *attempt, struct mortise_secret **volume_key,
				     int *opened, int *id, struct mortise_error *err)
{
	static const enum mortise_priority order[] = { MORTISE_PRIORITY_PREFER,
						       MORTISE_PRIORITY_NORMAL };
	struct json_object *metadata = luks2_header_metadata(attempt->header);
	const int keyslot = attempt->search->keyslot;
	const uint32_t wanted = keyslot == MORTISE_ANY ? UINT32_MAX : UINT32_C(1) << keyslot;
	enum mortise_code tried, code = MORTISE_OK;

	if (!luks2_online_reencrypt_count(metadata))
		code = luks2_usable(metadata, err);
	if (code)
		return code;
	attempt->keyslots = wanted;
	*id = attempt->search->token;
	if (*id != MORTISE_ANY)
		return try_token(attempt, *id, volume_key, opened, err);
	code = error_set(err, MORTISE_E_NO_TOKEN, 0, "No usable token is available.");
	/* As with passphrases, a keyslot of priority "ignore" is opened only on request. */
	for (size_t i = 0; code && code != MORTISE_E_CANCELED && i < sizeof(order) / sizeof(*order);
	     i++) {
		attempt->keyslots = wanted & keyslots_of_priority(attempt->header, order[i]);
		tried = try_tokens(attempt, id, volume_key, opened, err);
		if (tried != MORTISE_E_NO_TOKEN && (!tried || code != MORTISE_E_PIN))
			code = tried;
	}
	return code;
}

static enum mortise_code check_keyslot(int keyslot, struct mortise_error *err)
{
	if (keyslot >= MORTISE_ANY && keyslot < (int)MORTISE_KEYSLOTS_MAX)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0, "keyslot %d is invalid", keyslot);
}

enum mortise_code mortise_token_open(struct mortise_luks2 *header,
				     const struct mortise_token_search *search,
				     const struct mortise_key_sources *sources,
				     struct mortise_secret **volume_key, int *opened, int *token,
				     struct mortise_error *err)
{
	struct mortise_key_sources from = { .struct_size = sizeof(from) };
	struct mortise_token_search what;
	struct attempt attempt = { .header = header, .search = &what, .sources = &from };
	enum mortise_code code = sized_input(SIZED(mortise_token_search), &what, search, err);
	int id;

	if (!code && sources)
		code = sized_input(SIZED(mortise_key_sources), &from, sources, err);
	if (!code)
		code = check_keyslot(what.keyslot, err);
	if (!code)
		code = attempt_all(&attempt, volume_key, opened, &id, err);
	if (!code && token)
		*token = id;
	return code;
}

enum mortise_code mortise_token_keyslot_passphrase(struct mortise_luks2 *header, int keyslot,
						   const struct mortise_key_sources *sources,
						   struct mortise_secret **passphrase,
						   struct mortise_error *err)
{
	const struct mortise_token_search what = { .token = MORTISE_ANY, .keyslot = keyslot };
	struct mortise_key_sources from = { .struct_size = sizeof(from) };
	struct attempt attempt = {
		.header = header, .search = &what, .sources = &from, .passphrase = passphrase
	};
	enum mortise_code code = check_keyslot(keyslot, err);
	int id;

	if (!code && sources)
		code = sized_input(SIZED(mortise_key_sources), &from, sources, err);
	return code ? code : attempt_all(&attempt, NULL, NULL, &id, err);
}

enum mortise_code mortise_recovery_open(struct mortise_luks2 *header,
					const struct mortise_secret *typed,
					struct mortise_secret **volume_key, int *opened,
					struct mortise_error *err)
{
	uint32_t keyslots = volume_token_recovery_keyslots(header);
	struct mortise_secret *passphrase = NULL;
	enum mortise_code code;

	if (!keyslots)
		return error_set(err, MORTISE_E_NO_TOKEN, 0,
				 "no token of type " VOLUME_TOKEN_RECOVERY " marks a keyslot");
	code = keys_recovery_normalize(typed, &passphrase, err);
	if (!code)
		code = try_keyslots(header, keyslots, passphrase, volume_key, opened, err);
	mortise_secret_free(&passphrase);
	return code;
}

enum mortise_code mortise_tpm_extend(const struct mortise_key_sources *sources, unsigned pcr,
				     const char *word, struct mortise_error *err)
{
	struct mortise_key_sources from = { .struct_size = sizeof(from) };
	const struct keys_bytes text = { word, strlen(word) };
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	struct keys_tpm tpm = { 0 };
	enum mortise_code code = MORTISE_OK;

	if (sources)
		code = sized_input(SIZED(mortise_key_sources), &from, sources, err);
	tpm.tcti = from.tcti;
	tpm.events = from.events;
	if (!code)
		code = keys_sha256(&text, 1, digest, err);
	return code ? code : keys_tpm_extend(&tpm, pcr, digest, err);
}
