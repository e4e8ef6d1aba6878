/* SPDX-License-Identifier: MIT */
/* --help, --usage and --version. */
#include "cli/help.h"
#include "cli/nearest.h"
#include "cli/option_table.h"
#include "cli/output.h"
#include "cli/verbs.h"

/* The cryptsetup version whose command line is implemented; scripts read it from --version. */
#define CRYPTSETUP_VERSION "2.6.1"

void help_usage(const struct command *c, FILE *out)
{
	if (c->verb && !c->as_cryptsetup)
		print_to(out, "Usage: %s [OPTION...] %s %s\n", c->program, c->verb->name,
			 c->verb->words);
	else
		print_to(out, "Usage: %s [OPTION...] <action> <action-specific>\n", c->program);
}

void help_version(const struct command *c)
{
	if (c->as_cryptsetup) {
		print("cryptsetup " CRYPTSETUP_VERSION " flags: %sKEYRING \n",
		      MORTISE_DECLARED ? "BLKID " : "");
	} else {
		print_lines(stdout, mortise_features());
		print("argon2-kernel %s\n", mortise_argon2_kernel());
	}
}

void help_problem(const struct command *c, const struct option_problem *problem)
{
	const char *near = problem->unknown ? nearest_option(problem->unknown) : NULL;

	help_usage(c, stderr);
	if (!problem->of_option)
		print_to(stderr, "%s: ", c->program);
	if (near && !c->as_cryptsetup)
		print_to(stderr, "%s; did you mean --%s?\n", problem->text, near);
	else
		print_to(stderr, "%s\n", problem->text);
}

static bool exists(const struct command *c, const struct option_row *row)
{
	return row->help && row->verbs && !(c->as_cryptsetup && option_is_extension(row));
}

/* Every verb uses the option. */
static bool is_common(const struct option_row *row)
{
	return row->verbs == UINT64_MAX && row->have == UINT64_MAX;
}

static void print_option(const struct option_row *row)
{
	char name[64];

	snprintf(name, sizeof(name), "--%s%s%s", row->name, row->value ? "=" : "",
		 row->value ? row->value : "");
	if (row->letter)
		print("  -%c, %-32s %s\n", row->letter, name, row->help);
	else
		print("      %-32s %s\n", name, row->help);
}

static void print_pages(void)
{
	print("\nSee mortise(8), mortise-luks(8) and mortise-benchmark(8).\n");
}

void help_verb(const struct command *c)
{
	const uint64_t bit = UINT64_C(1) << c->verb->id;
	const struct option_row *row;

	print("Usage: %s [OPTION...] %s %s\n\n%s: %s\n\n", c->program, c->verb->name,
	      c->verb->words, c->verb->name, c->verb->help);
	for (row = option_table; row < option_table + OPTION_COUNT; row++) {
		if (exists(c, row) && !is_common(row) && (row->verbs & row->have & bit))
			print_option(row);
	}
	print("\nEvery action also takes");
	for (row = option_table; row < option_table + OPTION_COUNT; row++) {
		if (exists(c, row) && is_common(row))
			print(" --%s", row->name);
	}
	print("\n");
	print_pages();
}

void help_full(const struct command *c)
{
	const struct verb *verb;

	help_version(c);
	help_usage(c, stdout);
	print("\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (exists(c, &option_table[i]))
			print_option(&option_table[i]);
	}
	print("\n<action> is one of:\n");
	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (verb->run && !(verb->extension && c->as_cryptsetup))
			print("\t%s %s - %s\n", verb->name, verb->words, verb->help);
	}
	print("\nThe options of one action: %s <action> --help\n", c->program);
	print("\nOlder names: luksOpen (open), luksClose, remove (close), luksErase (erase),\n"
	      "luksConfig (config), --master-key-file (--volume-key-file),\n"
	      "--dump-master-key (--dump-volume-key), --new (--encrypt).\n");
	print_pages();
}
