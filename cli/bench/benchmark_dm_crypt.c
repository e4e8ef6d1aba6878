/* SPDX-License-Identifier: MIT */
/* benchmark dm-crypt: the speed of encrypted volumes on this machine, by their parameters. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/benchmark_dm_crypt.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/luks/signatures.h"
#include "cli/terminal.h"

const char *check_benchmark_dm_crypt(const struct command *c)
{
	const struct options *options = &c->options;
	const char *subject = c->word_count > 0 ? c->words[0] : "";
	bool whole = strcmp(subject, "all") == 0;

	if (!whole && strcmp(subject, "dm-crypt") != 0) {
		if (options->device_count > 0 || option_set(options, OPTION_DESTROY_DATA) ||
		    option_set(options, OPTION_QUICK))
			return "--device, --destroy-data and --quick require benchmark dm-crypt or "
			       "benchmark all";
		return NULL;
	}
	if (!whole && c->word_count > 1)
		return "benchmark dm-crypt takes no arguments; use --device";
	if (options->device_count > 1)
		return "--device can be given only once";
	if (option_set(options, OPTION_DESTROY_DATA) && options->device_count == 0)
		return "--destroy-data requires --device";
	return NULL;
}

/*
 * Without a terminal, luksFormat does not ask, as scripts expect. A benchmark must not erase data
 * without a confirmation.
 */
static enum status confirm(const struct command *c, const char *device)
{
	char warning[PATH_MAX + 64];
	enum status status;

	if (option_set(&c->options, OPTION_BATCH_MODE))
		return STATUS_OK;
	if (!isatty(STDIN_FILENO))
		return fail_with(STATUS_USAGE,
				 "not a terminal; use --batch-mode (-q) to confirm --destroy-data");
	if (access(device, F_OK) != 0)
		return fail_with(STATUS_DEVICE, "cannot access %s: %s", device, strerror(errno));
	status = signatures_show(device);
	if (status != STATUS_OK)
		return status;
	snprintf(warning, sizeof(warning), "This will overwrite data on %s irrevocably.", device);
	return terminal_confirm(warning, "Operation aborted.") ? STATUS_OK : STATUS_USAGE;
}

static void print_measurement(void *context, const struct mortise_dm_measurement *measurement,
			      size_t done, size_t total)
{
	struct dm_crypt_table *table = context;

	dm_crypt_print(table, measurement);
	(void)progress_tell(&table->b->progress, "dm-crypt", (unsigned)done, (unsigned)total);
}

/* Recommends lines for the configuration, and options for the verbs. */
static void recommend(struct benchmark *b, const struct mortise_dm_advice *advice)
{
	char lines[512], words[256];
	const char *option;
	size_t used;

	used = (size_t)snprintf(lines, sizeof(lines),
				"    cipher: %s\n    keySize: %u\n    blockSize: %u\n",
				advice->cipher, advice->key_size * 8, advice->sector_size);
	for (size_t i = 0; (option = dm_crypt_option_name(advice->flags, i)); i++)
		used += (size_t)snprintf(lines + used, sizeof(lines) - used, "%s      - %s\n",
					 i == 0 ? "    options:\n" : "", option);
	benchmark_recommend(b, "volume configuration, under \"encryption:\"", lines,
			    advice->reason);
	snprintf(words, sizeof(words), "--cipher %s --key-size %u --sector-size %u", advice->cipher,
		 advice->key_size * 8, advice->sector_size);
	benchmark_recommend(b, "luksFormat", words, "the same as options");
	used = 0;
	for (size_t i = 0; (option = dm_crypt_option_name(advice->flags, i)); i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "--perf-%s ", option);
	if (used == 0)
		return;
	snprintf(words + used, sizeof(words) - used, "--persistent");
	benchmark_recommend(b, "open", words, "required only once: the header stores the options");
}

static void add_results(struct benchmark *b, const struct mortise_dm_benchmark *found)
{
	const struct mortise_dm_measurement *measurement;
	const struct mortise_dm_advice *advice = mortise_dm_benchmark_advice(found);
	const char *warning;

	for (size_t i = 0; (measurement = mortise_dm_benchmark_measurement(found, i)); i++)
		dm_crypt_add_row(b, measurement, mortise_dm_benchmark_engine(found));
	for (size_t i = 0; (warning = mortise_dm_benchmark_warning(found, i)); i++)
		benchmark_warn(b, "%s", warning);
	benchmark_print(b, "\n");
	if (advice)
		recommend(b, advice);
	else
		benchmark_warn(b, "there are too few measurements for a recommendation");
}

enum status benchmark_dm_crypt(struct benchmark *b)
{
	const struct options *given = &b->c->options;
	struct dm_crypt_table table = { .b = b };
	uint64_t now = progress_elapsed_ms(&b->progress);
	uint64_t left = b->end_ms > now ? b->end_ms - now : 1;
	bool brief = option_set(given, OPTION_QUICK) && !option_set(given, OPTION_TIME_LIMIT);
	const struct mortise_dm_benchmark_options options = {
		.struct_size = sizeof(options),
		.device = given->device_count > 0 ? given->devices[0] : NULL,
		.destroy_data = option_set(given, OPTION_DESTROY_DATA),
		.cipher = option_text(given, OPTION_CIPHER),
		.key_size = option_number32(given, OPTION_KEY_SIZE) / 8,
		.quick = option_set(given, OPTION_QUICK),
		.time_limit_ms = brief ? 0 : (uint32_t)left,
		.events = &signals_events,
		.measured = print_measurement,
		.context = &table,
	};
	struct mortise_dm_benchmark *found = NULL;
	struct mortise_error err = { 0 };
	enum status status;

	if (options.destroy_data && options.device) {
		status = confirm(b->c, options.device);
		if (status != STATUS_OK)
			return status;
	}
	if (mortise_dm_benchmark_run(&options, &found, &err)) {
		progress_clear(&b->progress);
		if (options.device || strcmp(b->name, "all") != 0)
			return fail(b->c, &err);
		/* The other benchmarks are useful even if mappings cannot be created. */
		benchmark_warn(b, "skipped dm-crypt: %s", err.text);
		return STATUS_OK;
	}
	add_results(b, found);
	mortise_dm_benchmark_free(&found);
	return STATUS_OK;
}
