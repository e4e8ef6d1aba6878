/* SPDX-License-Identifier: MIT */
/* --help, --usage and --version. */
#include "cli/help.h"
#include "cli/output.h"
#include "cli/verbs.h"

/* The cryptsetup version whose command line is implemented; scripts read it from --version. */
#define CRYPTSETUP_VERSION "2.6.1"

void help_usage(const struct command *c, FILE *out)
{
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

void help_full(const struct command *c)
{
	const struct verb *verb;

	help_version(c);
	help_usage(c, stdout);
	print("\n");
	options_print_help(stdout, c->as_cryptsetup);
	print("\n<action> is one of:\n");
	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (verb->run && !(verb->extension && c->as_cryptsetup))
			print("\t%s %s - %s\n", verb->name, verb->words, verb->help);
	}
	print("\nOlder names: luksOpen (open), luksClose, remove (close), luksErase (erase),\n"
	      "luksConfig (config), --master-key-file (--volume-key-file),\n"
	      "--dump-master-key (--dump-volume-key).\n");
	print("\nSee mortise(8), mortise-luks(8) and mortise-benchmark(8).\n");
}
