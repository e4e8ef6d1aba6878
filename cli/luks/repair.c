/* SPDX-License-Identifier: MIT */
/* repair: rewrite a damaged header copy, and remove what is left over. */
#include "cli/device.h"
#include "cli/luks/seal.h"
#include "cli/luks/signatures.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

struct shown {
	const char *prefix; /* NULL: only count */
	unsigned count;
};

static bool show(void *context, const struct mortise_finding *finding)
{
	struct shown *shown = context;

	shown->count++;
	if (shown->prefix)
		print("mortise: %s%s\n", shown->prefix, finding->text);
	return true;
}

/* cryptsetup rewrites a copy silently, unless another signature or an error prevents it. */
static enum mortise_code load(const struct mortise_location *where, struct mortise_error *err)
{
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_luks2_load(where, &header, err);

	mortise_luks2_free(&header);
	return code;
}

/* The number of findings that a repair would mend, each shown with prefix. */
static unsigned look(const struct mortise_location *where, const char *prefix,
		     struct mortise_error *err)
{
	struct shown shown = { .prefix = prefix };
	const struct mortise_repair how = {
		.struct_size = sizeof(how), .dry_run = true, .report = show, .context = &shown
	};

	return mortise_repair(where, &how, err) ? 0 : shown.count;
}

static enum status dry_run(const struct command *c, const struct mortise_location *where)
{
	struct mortise_error err = { 0 };
	const unsigned count = look(where, "would repair: ", &err);

	if (err.code)
		return fail(c, &err);
	if (!count)
		print("No known problems detected for LUKS header.\n");
	return STATUS_OK;
}

static enum status repair(const struct command *c, const struct mortise_location *where)
{
	const struct mortise_repair how = { .struct_size = sizeof(how),
					    .over_foreign = true,
					    .copies_only = c->as_cryptsetup };
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };

	if (mortise_repair(where, &how, &err))
		return fail(c, &err);
	if (!mortise_luks2_load(where, &header, NULL))
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return STATUS_OK;
}

/* The questions of cryptsetup. */
static enum status ask(const struct command *c, const struct mortise_reencrypt_info *info,
		       const char **prompt)
{
	const char *question = NULL;

	*prompt = "Enter passphrase to verify reencryption metadata digest: ";
	if (info->unprotected) {
		question = "Unprotected LUKS2 reencryption metadata detected. Please verify the "
			   "reencryption operation is desirable (see luksDump output)\n"
			   "and continue (upgrade metadata) only if you acknowledge the operation "
			   "as genuine.";
		*prompt = "Enter passphrase to protect and upgrade reencryption metadata: ";
	} else if (info->interrupted) {
		question = "Really proceed with LUKS2 reencryption recovery?";
		*prompt = "Enter passphrase for reencryption recovery: ";
	}
	return !question || option_set(&c->options, OPTION_BATCH_MODE) ||
			       terminal_confirm(question, "Operation aborted.\n")
		       ? STATUS_OK
		       : STATUS_USAGE;
}

/* The header is right. A reencryption is checked with a passphrase, and mended. */
static enum status repair_reencryption(const struct command *c, const struct paths *paths)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_secret *passphrase = NULL;
	struct mortise_luks2 *header = NULL;
	struct mortise_error err = { 0 };
	struct passphrase_source source;
	enum status status = header_load_with_device(c, paths, &header);

	if (status == STATUS_OK && mortise_reencrypt_info(header, &info, &err)) {
		status = err.code == MORTISE_E_USAGE ? STATUS_OK : fail(c, &err);
		goto out;
	}
	passphrase_source(c, paths->device, &source);
	if (status == STATUS_OK)
		status = ask(c, &info, &source.prompt);
	if (status == STATUS_OK)
		status = passphrase_read(c, &source, &passphrase);
	if (status == STATUS_OK &&
	    mortise_reencrypt_repair(header, passphrase, option_slot(&c->options, OPTION_KEY_SLOT),
				     &err))
		status = fail(c, &err);
out:
	mortise_secret_free(&passphrase);
	mortise_luks2_free(&header);
	return status;
}

static enum status run(const struct command *c, const struct paths *paths)
{
	const bool batch = option_set(&c->options, OPTION_BATCH_MODE);
	struct mortise_location where = { .struct_size = sizeof(where), .events = &signals_events };
	struct mortise_error err = { 0 };
	enum status status = STATUS_OK;
	unsigned count = 0;

	where.device = paths->device;
	where.header = paths->detached ? paths->header : NULL;
	if (header_is_luks1(paths->header))
		return fail_with(STATUS_USAGE,
				 "cannot repair the header of %s: it is LUKS1, not LUKS2",
				 paths->header);
	if (option_set(&c->options, OPTION_DRY_RUN))
		return dry_run(c, &where);
	if (!c->as_cryptsetup)
		count = look(&where, "", NULL);
	/* A copy that nothing else covers is rewritten without a question, as in cryptsetup. */
	if (load(&where, &err) == MORTISE_E_DEVICE)
		return fail(c, &err);
	if (!err.code) {
		if (!count)
			verbose(c, "No known problems detected for LUKS header.");
		if (!count || !look(&where, NULL, NULL))
			return STATUS_OK;
	} else if (!batch) {
		status = signatures_find(paths->header, 0, SIGNATURES_FOREIGN, NULL);
	}
	if (status != STATUS_OK)
		return status;
	if (!batch &&
	    !terminal_confirm("Really try to repair LUKS device header?", "Operation aborted.\n"))
		return STATUS_USAGE;
	return repair(c, &where);
}

enum status run_repair(const struct command *c)
{
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 0), &paths);
	status = run(c, &paths);
	return status == STATUS_OK && !option_set(&c->options, OPTION_DRY_RUN)
		       ? repair_reencryption(c, &paths)
		       : status;
}
