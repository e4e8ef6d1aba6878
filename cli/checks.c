/* SPDX-License-Identifier: MIT */
/* Options that conflict or that a verb requires. The sentences are cryptsetup's. */
#include <string.h>
#include <strings.h>

#include "cli/verbs.h"

static bool given(const struct command *c, enum option_id id)
{
	return option_set(&c->options, id);
}

/* Over an unencrypted connection they would be ignored without notice. */
static const char *check_kms(const struct command *c)
{
	const char *kms = option_text(&c->options, OPTION_KMS);
	bool clear = kms && (!strstr(kms, "://") || strncasecmp(kms, "grpc://", 7) == 0);

	if (clear &&
	    (given(c, OPTION_KMS_CA) || given(c, OPTION_KMS_CERT) || given(c, OPTION_KMS_KEY)))
		return "Options --kms-ca, --kms-cert and --kms-key need a KMS over TLS: "
		       "--kms https://HOST:PORT.";
	return NULL;
}

const char *check_add_key(const struct command *c)
{
	if (given(c, OPTION_UNBOUND) && option_number(&c->options, OPTION_KEY_SIZE) == 0)
		return "Key size is required with --unbound option.";
	return NULL;
}

const char *check_close(const struct command *c)
{
	if (given(c, OPTION_CANCEL_DEFERRED) && given(c, OPTION_DEFERRED))
		return "Options --cancel-deferred and --deferred cannot be used at the same time.";
	return NULL;
}

const char *check_config(const struct command *c)
{
	if (given(c, OPTION_PRIORITY) && !given(c, OPTION_KEY_SLOT))
		return "Keyslot specification is required.";
	return NULL;
}

const char *check_dump(const struct command *c)
{
	if (given(c, OPTION_UNBOUND) && !given(c, OPTION_KEY_SLOT))
		return "Keyslot specification is required.";
	return NULL;
}

/*
 * --kms also names the KMS of a token that unlocks the device. Together with another kind of key it
 * has this meaning only if a token is asked for, so that a user never believes to have enrolled both.
 */
const char *check_enroll(const struct command *c)
{
	bool by_token = given(c, OPTION_TOKEN_ID) || given(c, OPTION_TOKEN_ONLY) ||
			given(c, OPTION_TOKEN_TYPE);
	bool recovery = given(c, OPTION_RECOVERY_KEY), tpm = given(c, OPTION_TPM);
	const char *format = option_text(&c->options, OPTION_FORMAT);
	bool systemd = tpm && format && strcmp(format, "systemd") == 0;
	bool kms = given(c, OPTION_KMS) && !((recovery || tpm) && by_token);

	if (recovery + tpm + kms == 0)
		return "enroll: --recovery-key, --kms or --tpm is required";
	if (recovery + tpm + kms > 1)
		return "Only one of --recovery-key, --kms and --tpm can be enrolled at a time.";
	if (given(c, OPTION_RECOVERY_FILE) && !recovery)
		return "Option --recovery-file is allowed only with --recovery-key.";
	if (given(c, OPTION_REPLACE) && !recovery)
		return "Option --replace is allowed only with --recovery-key.";
	if (given(c, OPTION_FROM_CONFIG) && !recovery)
		return "Option --from-config is allowed only with --recovery-key.";
	if (!given(c, OPTION_FROM_CONFIG) &&
	    (given(c, OPTION_FILE) || c->options.device_count || given(c, OPTION_ROOT) ||
	     given(c, OPTION_TRUST) || given(c, OPTION_WAIT)))
		return "Options --file, --device, --root, --trust and --wait are allowed only with "
		       "--from-config.";
	if (given(c, OPTION_TPM_PCRS) && !tpm)
		return "Option --tpm-pcrs is allowed only with --tpm.";
	if (given(c, OPTION_FORMAT) && !tpm)
		return "Option --format is allowed only with --tpm.";
	if (format && strcmp(format, "talos") != 0 && !systemd)
		return "Option --format can be only talos or systemd.";
	if (given(c, OPTION_TPM_PIN) && !systemd)
		return "Option --tpm-pin is allowed only with --format systemd.";
	if (given(c, OPTION_TPM_CHECK_SECUREBOOT) && !tpm)
		return "Option --tpm-check-secureboot is allowed only with --tpm.";
	return check_kms(c);
}

const char *check_format(const struct command *c)
{
	if (given(c, OPTION_ALIGN_PAYLOAD) && given(c, OPTION_OFFSET))
		return "Options --align-payload and --offset cannot be combined.";
	if (option_set(&c->options, OPTION_INTEGRITY_NO_WIPE) &&
	    !option_set(&c->options, OPTION_INTEGRITY))
		return "Option --integrity-no-wipe can be used only for format action with "
		       "integrity extension.";
	if (given(c, OPTION_INTEGRITY_INLINE) && !given(c, OPTION_INTEGRITY))
		return "Inline integrity must be used together with --integrity option.";
	if (given(c, OPTION_USE_RANDOM) && given(c, OPTION_USE_URANDOM))
		return "Only one of --use-[u]random options is allowed.";
	return NULL;
}

const char *check_meta(const struct command *c)
{
	const char *action = command_word(c, 0);
	bool list = strcmp(action, "list") == 0, set = strcmp(action, "set") == 0;

	if (!list && !set && strcmp(action, "get") != 0 && strcmp(action, "delete") != 0)
		return "meta: unknown action; use list, get, set or delete";
	if (!list && c->word_count < 2)
		return "meta: get, set and delete require a tag";
	if (c->word_count > (list ? 1u : set ? 3u : 2u))
		return "meta: too many arguments";
	if (!list && given(c, OPTION_JSON))
		return "Option --json is allowed only with meta list.";
	return NULL;
}

const char *check_refresh(const struct command *c)
{
	if (given(c, OPTION_TEST_PASSPHRASE))
		return "Options --refresh and --test-passphrase are mutually exclusive.";
	if (given(c, OPTION_UNBOUND))
		return "Option --unbound cannot be used without --test-passphrase.";
	return check_kms(c);
}

const char *check_resume(const struct command *c)
{
	if (given(c, OPTION_DISABLE_KEYRING) && given(c, OPTION_LINK_VK_TO_KEYRING))
		return "Cannot link volume key to a keyring when keyring is disabled.";
	if (given(c, OPTION_VOLUME_KEY_FILE) && given(c, OPTION_VOLUME_KEY_KEYRING))
		return "Options --volume-key-file and --volume-key-keyring cannot be combined.";
	return NULL;
}

static bool any_given(const struct command *c, const enum option_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (given(c, ids[i]))
			return true;
	return false;
}

/* cryptsetup ignores these, and would ask for a passphrase although a key is named. */
static const char *check_plain(const struct command *c)
{
	static const enum option_id luks[] = {
		OPTION_HEADER,
		OPTION_KEY_SLOT,
		OPTION_PERSISTENT,
		OPTION_SEALED,
		OPTION_TOKEN_ID,
		OPTION_KMS,
		OPTION_TOKEN_ONLY,
		OPTION_ALLOW_CIPHER,
		OPTION_TOKEN_TYPE,
		OPTION_TCTI,
		OPTION_TPM_POLICY,
		OPTION_VOLUME_KEY_FILE,
		OPTION_VOLUME_KEY_KEYRING,
		OPTION_LINK_VK_TO_KEYRING,
	};

	if (given(c, OPTION_TEST_PASSPHRASE))
		return "Option --test-passphrase is allowed only for open of LUKS devices.";
	if (given(c, OPTION_UNBOUND))
		return "Option --unbound is allowed only for open of luks device.";
	if (any_given(c, luks, sizeof(luks) / sizeof(luks[0])))
		return "Options --allow-cipher, --header, --key-slot, --persistent, --sealed, "
		       "--volume-key-file and those of tokens are not allowed for open of plain "
		       "device.";
	if (given(c, OPTION_IV_LARGE_SECTORS) &&
	    option_number32(&c->options, OPTION_SECTOR_SIZE) <= 512)
		return "Large IV sectors option is supported only for opening plain type device "
		       "with sector size larger than 512 bytes.";
	if (option_number(&c->options, OPTION_OFFSET) > UINT64_MAX / 512)
		return "Invalid offset specification.";
	return check_resize(c);
}

static const char *check_not_plain(const struct command *c)
{
	if (given(c, OPTION_SHARED))
		return "Option --shared is allowed only for open of plain device.";
	if (given(c, OPTION_SKIP))
		return "Option --skip is supported only for open of plain and loopaes devices.";
	if (given(c, OPTION_OFFSET))
		return "Option --offset with open action is only supported for plain and loopaes "
		       "devices.";
	if (given(c, OPTION_SECTOR_SIZE))
		return "Sector size option with open action is supported only for plain devices.";
	if (given(c, OPTION_IV_LARGE_SECTORS))
		return "Large IV sectors option is supported only for opening plain type device "
		       "with sector size larger than 512 bytes.";
	if (given(c, OPTION_SIZE) || given(c, OPTION_DEVICE_SIZE))
		return "Options --size and --device-size are allowed only for open of plain "
		       "device.";
	return NULL;
}

const char *check_open(const struct command *c)
{
	const bool plain = strcmp(c->type, "plain") == 0;
	const char *sentence = check_resume(c);

	if (sentence)
		return sentence;
	if (given(c, OPTION_PERSISTENT) && given(c, OPTION_TEST_PASSPHRASE))
		return "Option --persistent is not allowed with --test-passphrase.";
	if (given(c, OPTION_REFRESH))
		return check_refresh(c);
	sentence = plain ? check_plain(c) : check_not_plain(c);
	if (sentence)
		return sentence;
	if (given(c, OPTION_UNBOUND) && !given(c, OPTION_TEST_PASSPHRASE))
		return "Option --unbound cannot be used without --test-passphrase.";
	return check_kms(c);
}

const char *check_status(const struct command *c)
{
	if (!command_declares(c) && c->word_count == 0)
		return "status: requires <name> as arguments";
	if (given(c, OPTION_JSON) && given(c, OPTION_PROMETHEUS))
		return "Options --json and --prometheus cannot be combined.";
	return NULL;
}

/* unassign is cryptsetup's name for removing a link to a keyslot. */
const char *check_token(const struct command *c)
{
	static const char *const actions[] = { "add", "remove", "import", "export", "unassign" };
	static const char need_token[] =
		"Action requires specific token. Use --token-id parameter.";
	const char *action = command_word(c, 0);
	bool named = option_slot(&c->options, OPTION_TOKEN_ID) != MORTISE_ANY;
	size_t i = 0;

	while (strcmp(action, actions[i]) != 0)
		if (++i == sizeof(actions) / sizeof(actions[0]))
			return "Invalid token action.";
	if (i == 0 && !given(c, OPTION_KEY_DESCRIPTION))
		return "--key-description parameter is mandatory for token add action.";
	if (!named && (i == 1 || i == 3))
		return need_token;
	if (given(c, OPTION_UNBOUND) && i != 0)
		return "Option --unbound is valid only with token add action.";
	if (given(c, OPTION_UNBOUND) && given(c, OPTION_KEY_SLOT))
		return "Options --key-slot and --unbound cannot be combined.";
	if (i == 4 && !given(c, OPTION_KEY_SLOT))
		return "Action requires specific keyslot. Use --key-slot parameter.";
	return i == 4 && !named ? need_token : NULL;
}
