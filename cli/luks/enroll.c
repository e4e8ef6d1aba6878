/* SPDX-License-Identifier: MIT */
/* enroll: add a keyslot for a key sealed by a KMS or TPM, or for a recovery key. */
#include <stdio.h>

#include "cli/declared/enroll_declared.h"
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/passphrase.h"
#include "cli/pcr.h"
#include "cli/print.h"
#include "cli/luks/recovery_key.h"
#include "cli/sources.h"
#include "cli/luks/seal.h"
#include "cli/luks/unlock.h"
#include "cli/verbs.h"

static void describe(const struct command *c, struct mortise_enrollment *what)
{
	const char *pcrs = option_text(&c->options, OPTION_TPM_PCRS);

	*what = (struct mortise_enrollment){
		.struct_size = sizeof(struct mortise_enrollment),
		.kind = MORTISE_ENROLL_KMS,
		.keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
		.tpm_check_secureboot = option_set(&c->options, OPTION_TPM_CHECK_SECUREBOOT),
		.replace = option_set(&c->options, OPTION_REPLACE),
	};
	if (option_set(&c->options, OPTION_RECOVERY_KEY))
		what->kind = MORTISE_ENROLL_RECOVERY;
	else if (option_set(&c->options, OPTION_TPM))
		what->kind = MORTISE_ENROLL_TPM;
	/* The only format other than the default. */
	what->tpm_systemd = option_set(&c->options, OPTION_FORMAT) &&
			    *option_text(&c->options, OPTION_FORMAT) == 's';
	/* The option parser has refused an invalid list. */
	if (!pcrs || !pcr_list(pcrs, &what->tpm_pcrs))
		what->tpm_pcrs = MORTISE_PCRS_DEFAULT;
}

struct hand_over {
	struct recovery_sink sink;
	const char *device;
};

static bool hand_over(void *context, const struct mortise_secret *key, int keyslot)
{
	struct hand_over *to = context;

	return recovery_sink_put(&to->sink, key, to->device, keyslot) == STATUS_OK;
}

static enum status enroll(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, const struct mortise_enrollment *given,
			  const struct mortise_secret *volume_key)
{
	bool recovery = given->kind == MORTISE_ENROLL_RECOVERY;
	struct hand_over to = { .device = paths->header };
	struct mortise_enrollment what = *given;
	struct mortise_enrolled enrolled = { .struct_size = sizeof(enrolled) };
	struct mortise_key_sources sources;
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;

	if (recovery)
		status = recovery_sink_open(c, &to.sink);
	if (status != STATUS_OK)
		return status;
	what.hand_over = hand_over;
	what.context = &to;
	sources_fill(c, &sources);
	if (mortise_enroll(header, &what, &sources, volume_key, &enrolled, &err))
		status = fail(c, &err);
	if (status == STATUS_OK) {
		say_slot(c, enrolled.keyslot, SLOT_CREATED);
		verbose(c, "Token %d created.", enrolled.token);
		if (enrolled.notice[0] != '\0' && !option_set(&c->options, OPTION_BATCH_MODE))
			print_to(stderr, "mortise: notice: %s\n", enrolled.notice);
	}
	mortise_secret_free(&enrolled.recovery_key);
	/* After an error, the new header may be in force nevertheless. */
	if (status != STATUS_OK && to.sink.filled)
		fail_with(status, "mortise: The recovery key may have been enrolled; keep it until "
				  "luksDump shows whether its keyslot exists.");
	if (recovery)
		recovery_sink_close(&to.sink);
	return status;
}

static enum status read_pin(const struct command *c, const struct paths *paths,
			    struct mortise_secret **pin)
{
	struct passphrase_source source;
	enum status status;

	if (!option_set(&c->options, OPTION_TPM_PIN))
		return STATUS_OK;
	passphrase_new_source(c, paths->device, NULL, &source);
	source.prompt = "Enter new PIN: ";
	source.offset = source.size = 0;
	status = passphrase_read(c, &source, pin);
	if (status == STATUS_OK && mortise_secret_size(*pin) == 0)
		status = fail_with(STATUS_USAGE, "mortise: The PIN is empty.");
	return status;
}

/* Loads and unlocks the header, with a declared key or as the other verbs do. */
static enum status get_header(const struct command *c, const struct paths *paths,
			      struct mortise_enrollment *what, struct mortise_luks2 **header,
			      struct mortise_secret **volume_key)
{
	const bool declared = option_set(&c->options, OPTION_FROM_CONFIG);
	int keyslot = MORTISE_ANY;
	enum status status;

	/* Other builds do not have the option, nor the function. */
	if (MORTISE_DECLARED && declared)
		status = enroll_unlock_declared(c, header, &keyslot);
	else
		status = header_load(c, paths, "LUKS2", header);
	if (what->keyslot == MORTISE_ANY)
		what->keyslot = keyslot;
	if (status == STATUS_OK && !what->replace)
		status = keyslot_check_free(*header, what->keyslot);
	if (status == STATUS_OK && !declared)
		status = unlock_header(c, paths, *header, volume_key);
	return status;
}

enum status run_enroll(const struct command *c)
{
	struct mortise_secret *volume_key = NULL, *pin = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_enrollment what;
	struct paths paths;
	enum status status;

	describe(c, &what);
	/* Check before asking for a passphrase that the key can be shown. */
	if (what.kind == MORTISE_ENROLL_RECOVERY && !recovery_sink_there(c))
		return STATUS_USAGE;
	paths_find(c, command_word(c, 0), &paths);
	status = get_header(c, &paths, &what, &header, &volume_key);
	if (status == STATUS_OK)
		status = read_pin(c, &paths, &pin);
	what.tpm_pin = pin;
	if (status == STATUS_OK)
		status = enroll(c, &paths, header, &what, volume_key);
	if (status == STATUS_OK)
		seal_warn_after_change(c, header);
	mortise_secret_free(&pin);
	mortise_secret_free(&volume_key);
	mortise_luks2_free(&header);
	return status;
}
