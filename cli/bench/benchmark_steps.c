/* SPDX-License-Identifier: MIT */
/* benchmark keyslot and benchmark unlock: the time of each step of an operation. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/benchmark.h"
#include "cli/device.h"
#include "cli/keyslot.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"

/* The lowest cost that a keyslot can be created with. */
static const struct mortise_kdf_choice least_cost = {
	.struct_size = sizeof(least_cost),
	.type = MORTISE_KDF_ARGON2ID,
	.forced_time = 4,
	.memory_kib = 32,
	.lanes = 1,
};

static double sum_medians(const struct mortise_benchmark_steps *steps)
{
	double sum = 0;

	for (unsigned i = 0; i < steps->count; i++)
		sum += steps->steps[i].time.median;
	return sum;
}

static void print_step(struct benchmark *b, const char *name, const struct mortise_spread *time,
		       double whole)
{
	benchmark_print(b, "  %-12s %10.3f %10.3f %10.3f %6u %5.1f%%\n", name, time->median,
			time->min, time->p99, time->runs,
			whole > 0 ? 100 * time->median / whole : 0);
}

void benchmark_add_steps(struct benchmark *b, const char *name, const struct mortise_kdf *cost,
			 const struct mortise_benchmark_steps *steps)
{
	const double sum = sum_medians(steps);
	const bool whole = steps->total.runs > 0;
	struct json_object *row = benchmark_add_row(b, name);
	double all = whole && steps->total.median > sum ? steps->total.median : sum;

	benchmark_print(b, "# %s\n", name);
	if (cost) {
		benchmark_add_cost(row, cost);
		if (cost->type == MORTISE_KDF_PBKDF2)
			benchmark_print(b, "# pbkdf2-%s, %u iterations\n", cost->hash, cost->time);
		else
			benchmark_print(b, "# %s, %u KiB, %u passes, %u lanes\n",
					mortise_kdf_name(cost->type), cost->memory_kib, cost->time,
					cost->lanes);
	}
	benchmark_print(b, "# step          median ms     min ms     p99 ms   runs  share\n");
	for (unsigned i = 0; i < steps->count; i++) {
		benchmark_add_metric(row, steps->steps[i].name, benchmark_unit_ms,
				     &steps->steps[i].time);
		print_step(b, steps->steps[i].name, &steps->steps[i].time, all);
	}
	benchmark_add_value(row, "sum", benchmark_unit_ms, sum);
	if (!whole) {
		benchmark_print(b, "  %-12s %10.3f\n", "sum", sum);
		benchmark_check_noise(b, name, &steps->steps[0].time);
		return;
	}
	benchmark_add_metric(row, "total", benchmark_unit_ms, &steps->total);
	benchmark_add_value(row, "rest", benchmark_unit_ms, all - sum);
	benchmark_print(b, "  %-12s %10.3f %39.1f%%\n", "rest", all - sum,
			all > 0 ? 100 * (all - sum) / all : 0);
	print_step(b, "total", &steps->total, all);
	benchmark_check_noise(b, name, &steps->total);
}

static enum status measure_keyslot(struct benchmark *b, const char *kind,
				   const struct mortise_kdf_choice *choice, unsigned left)
{
	const struct mortise_benchmark how = benchmark_limits(b, left);
	struct mortise_keyslot_benchmark result = { .struct_size = sizeof(result) };
	struct json_object *row;
	struct mortise_error err;
	char name[64];

	if (mortise_benchmark_keyslot(choice, &how, &result, &err))
		return fail(b->c, &err);
	if (result.choice_ms > 0) {
		snprintf(name, sizeof(name), "keyslot/%s/choice", kind);
		row = benchmark_add_row(b, name);
		benchmark_add_cost(row, &result.kdf);
		benchmark_add_value(row, "total", benchmark_unit_ms, result.choice_ms);
		benchmark_print(b, "# keyslot/%s: choosing the cost took %.0f ms\n", kind,
				result.choice_ms);
	}
	snprintf(name, sizeof(name), "keyslot/%s/create", kind);
	benchmark_add_steps(b, name, &result.kdf, &result.create);
	snprintf(name, sizeof(name), "keyslot/%s/open", kind);
	benchmark_add_steps(b, name, &result.kdf, &result.open);
	return STATUS_OK;
}

enum status benchmark_keyslot(struct benchmark *b)
{
	struct mortise_keyslot_new keyslot;
	struct mortise_kdf_choice asked;
	enum status status = keyslot_describe(b->c, &keyslot, &asked);

	if (status == STATUS_OK)
		status = measure_keyslot(b, "least", &least_cost, 2);
	if (status == STATUS_OK && !benchmark_is_over(b, "the default cost of a keyslot"))
		status = measure_keyslot(b, asked.forced_time > 0 ? "forced" : "usual", &asked, 1);
	return status;
}

/* One device, its header, and the passphrase of one of its keyslots if --key-file is given. */
struct unlocking {
	struct benchmark *b;
	struct mortise_luks2 *header;
	struct mortise_secret *passphrase;
	int opened; /* the keyslot of the passphrase; MORTISE_ANY: no passphrase */
};

static enum status read_passphrase(struct unlocking *u, const struct paths *paths)
{
	const struct command *c = u->b->c;
	const struct mortise_key_search search = {
		.struct_size = sizeof(search),
		.keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
		.unbound = true,
	};
	struct passphrase_source source;
	struct mortise_error err;
	enum status status;

	if (!option_set(&c->options, OPTION_KEY_FILE))
		return STATUS_OK;
	passphrase_source(c, paths->device, &source);
	status = passphrase_read(c, &source, &u->passphrase);
	if (status != STATUS_OK)
		return status;
	if (mortise_keyslot_open(u->header, &search, u->passphrase, NULL, &u->opened, &err))
		return fail_passphrase(c, &err);
	return STATUS_OK;
}

static bool is_selected(const struct unlocking *u, int id, struct mortise_keyslot_info *info)
{
	int only = option_slot(&u->b->c->options, OPTION_KEY_SLOT);

	if (only != MORTISE_ANY && only != id)
		return false;
	return mortise_keyslot_info(u->header, id, info, NULL) == MORTISE_OK &&
	       strcmp(info->type, "luks2") == 0;
}

/* A keyslot that cannot be measured, because of policy or memory, causes only a warning. */
static void measure_slot(struct unlocking *u, int id, const struct mortise_kdf *cost, unsigned left)
{
	const struct mortise_benchmark how = benchmark_limits(u->b, left);
	struct mortise_benchmark_steps steps;
	struct mortise_error err;
	char name[32];

	snprintf(name, sizeof(name), "unlock/keyslot %d", id);
	if (mortise_benchmark_unlock(u->header, id, id == u->opened ? u->passphrase : NULL, &how,
				     &steps, &err))
		benchmark_warn(u->b, "%s: %s", name, err.text);
	else
		benchmark_add_steps(u->b, name, cost, &steps);
}

static enum status measure_slots(struct unlocking *u)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	unsigned left = 1; /* for the mapping */

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		left += is_selected(u, id, &info);
	if (left == 1)
		return fail_with(STATUS_USAGE, "No usable keyslot is available.");
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (!is_selected(u, id, &info))
			continue;
		if (benchmark_is_over(u->b, "a keyslot"))
			break;
		measure_slot(u, id, &info.kdf, left--);
	}
	return STATUS_OK;
}

static enum status measure_header(struct benchmark *b, const struct paths *paths)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .events = &signals_events,
						   .device = paths->header,
						   .readonly = true };
	struct mortise_benchmark how = benchmark_limits(b, 10);
	struct mortise_benchmark_steps steps;
	struct mortise_error err;

	if (mortise_benchmark_header(&location, &how, &steps, &err))
		return fail(b->c, &err);
	benchmark_add_steps(b, "unlock/header", NULL, &steps);
	return STATUS_OK;
}

static enum status measure_mapping(struct unlocking *u)
{
	const struct mortise_benchmark how = benchmark_limits(u->b, 1);
	struct mortise_benchmark_steps steps;
	struct mortise_error err;

	if (!option_set(&u->b->c->options, OPTION_MAPPING))
		return STATUS_OK;
	if (mortise_benchmark_mapping(u->header, &how, &steps, &err))
		return fail(u->b->c, &err);
	benchmark_add_steps(u->b, "unlock/mapping", NULL, &steps);
	return STATUS_OK;
}

enum status benchmark_unlock(struct benchmark *b)
{
	struct unlocking u = { .b = b, .opened = MORTISE_ANY };
	struct mortise_location location = { .struct_size = sizeof(location),
					     .events = &signals_events,
					     .readonly = true };
	struct mortise_error err;
	struct paths paths;
	enum status status;

	paths_find(b->c, b->words[0], &paths);
	location.device = paths.device;
	location.header = paths.detached ? paths.header : NULL;
	if (mortise_luks2_load(&location, &u.header, &err))
		return fail(b->c, &err);
	status = read_passphrase(&u, &paths);
	if (status == STATUS_OK)
		status = measure_header(b, &paths);
	if (status == STATUS_OK)
		status = measure_slots(&u);
	if (status == STATUS_OK)
		status = measure_mapping(&u);
	mortise_secret_free(&u.passphrase);
	mortise_luks2_free(&u.header);
	return status;
}
