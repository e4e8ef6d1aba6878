/* SPDX-License-Identifier: MIT */
/* --help, --usage and --version. */
#include "cli/help.h"
#include "cli/verbs.h"

/* The cryptsetup version whose command line is implemented; scripts read it from --version. */
#define CRYPTSETUP_VERSION "2.6.1"

void help_usage(const struct command *c, FILE *out)
{
	fprintf(out, "Usage: %s [OPTION...] <action> <action-specific>\n", c->program);
}

void help_version(const struct command *c)
{
	if (c->as_cryptsetup)
		printf("cryptsetup " CRYPTSETUP_VERSION " flags: %sKEYRING \n",
		       MORTISE_DECLARED ? "BLKID " : "");
	else
		printf("%sargon2-kernel %s\n", mortise_features(), mortise_argon2_kernel());
}

void help_full(const struct command *c)
{
	const struct verb *verb;

	help_version(c);
	help_usage(c, stdout);
	printf("\n");
	options_print_help(stdout, c->as_cryptsetup);
	printf("\n<action> is one of:\n");
	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (verb->run && !(verb->extension && c->as_cryptsetup))
			printf("\t%s %s - %s\n", verb->name, verb->words, verb->help);
	}
	printf("\nOlder names: luksOpen (open), luksClose, remove (close), luksErase (erase),\n"
	       "luksConfig (config), --master-key-file (--volume-key-file),\n"
	       "--dump-master-key (--dump-volume-key).\n");
	printf("\nSee mortise(8), mortise-luks(8) and mortise-benchmark(8).\n");
}
