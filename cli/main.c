/* SPDX-License-Identifier: MIT */
/* Parses and checks the command line, and runs one verb. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "cli/help.h"
#include "cli/log.h"
#include "cli/nearest.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"

/* Prints usage and "PROGRAM: message" to standard error. */
__attribute__((format(printf, 2, 3))) static enum status refuse(const struct command *c,
								const char *format, ...)
{
	va_list arguments;

	help_usage(c, stderr);
	print_to(stderr, "%s: ", c->program);
	va_start(arguments, format);
	vprint_to(stderr, format, arguments);
	va_end(arguments);
	print_to(stderr, "\n");
	return STATUS_USAGE;
}

static enum status refuse_verb(const struct command *c)
{
	const char *near = nearest_verb(c->words[0]);

	if (c->as_cryptsetup)
		return refuse(c, "Unknown action.");
	if (near)
		return refuse(c, "unknown action %s; did you mean %s?", c->words[0], near);
	return refuse(c, "unknown action %s; --help lists the actions", c->words[0]);
}

static enum status find_verb(struct command *c)
{
	const char *implied;

	if (c->word_count == 0)
		return refuse(c, "Argument <action> missing.");
	c->verb = verb_find(c->words[0], &implied);
	if (c->verb && c->verb->extension && c->as_cryptsetup)
		c->verb = NULL;
	if (!c->verb)
		return refuse_verb(c);
	c->type = implied ? implied : option_text(&c->options, OPTION_TYPE);
	if (!c->type)
		c->type = "luks";
	c->words++;
	c->word_count--;
	/* "create NAME DEVICE": its arguments have always been in this order. */
	if (c->word_count >= 2 && strcmp(c->words[-1], "create") == 0) {
		char *name = c->words[0];

		c->words[0] = c->words[1];
		c->words[1] = name;
	}
	return STATUS_OK;
}

/* A type of other programs, by its name or by that of an action such as bitlkDump. */
static enum status refuse_foreign(const struct command *c, const char *kind, const char *name)
{
	static const struct {
		const char *name, *what, *program;
	} foreign[] = {
		{ "loopaes", "loop-AES", "cryptsetup" },
		{ "tcrypt", "TrueCrypt and VeraCrypt", "cryptsetup" },
		{ "bitlk", "BitLocker", "cryptsetup" },
		{ "fvault2", "FileVault", "cryptsetup" },
		{ "verity", "dm-verity", "veritysetup" },
		{ "integrity", "dm-integrity without encryption", "integritysetup" },
	};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strncmp(name, foreign[i].name, strlen(foreign[i].name)) == 0)
			return refuse(c, "%s %s (%s) is not supported; use %s.", kind, name,
				      foreign[i].what, foreign[i].program);
	return STATUS_OK;
}

/* Anything unsupported is refused by name, never ignored. */
static enum status refuse_lacking(const struct command *c)
{
	static const uint64_t plain =
		1u << VERB_OPEN | 1u << VERB_CLOSE | 1u << VERB_STATUS | 1u << VERB_RESIZE;
	enum option_id option;
	enum status status;

	if (c->verb->id == VERB_FOREIGN)
		return refuse_foreign(c, "Action", c->verb->name);
	if (!c->verb->run)
		return refuse(c, "Action %s is not supported by this version.", c->verb->name);
	status = refuse_foreign(c, "Type", c->type);
	if (status != STATUS_OK)
		return status;
	/* Any other verb accepts --type luks1, and refuses the header if it cannot change it. */
	if (strcmp(c->type, "luks1") == 0 && c->verb->id == VERB_FORMAT)
		return refuse(c, "Type %s is not supported by this version.", c->type);
	if (strcmp(c->type, "luks") != 0 && strcmp(c->type, "luks1") != 0 &&
	    strcmp(c->type, "luks2") != 0 &&
	    (strcmp(c->type, "plain") != 0 || !(plain & UINT64_C(1) << c->verb->id)))
		return refuse(c, "Unrecognized metadata device type %s.", c->type);
	option = options_lacking(&c->options, c->verb->id);
	if (option == OPTION_EXTERNAL_TOKENS_PATH)
		return refuse(c, "Option --external-tokens-path is not supported: token types are "
				 "built in, and plug-ins are never loaded.");
	if (option != OPTION_COUNT)
		return refuse(c, "Option --%s is not supported by this version with %s action.",
			      option_name(option), c->verb->name);
	return STATUS_OK;
}

static bool is_pbkdf(const char *name)
{
	return strcasecmp(name, "pbkdf2") == 0 || strcasecmp(name, "argon2i") == 0 ||
	       strcasecmp(name, "argon2id") == 0;
}

/* The checks are in cryptsetup's order, so that the first error reported is the same. */
static enum status check(const struct command *c)
{
	const struct options *options = &c->options;
	const char *pbkdf = option_text(options, OPTION_PBKDF);
	enum option_id option, ours;
	enum status status;
	const char *sentence;

	if (c->word_count < c->verb->words_needed &&
	    !(c->verb->id == VERB_STATUS && command_declares(c)))
		return refuse(c, "%s: requires %s as arguments", c->verb->name, c->verb->words);
	option = options_misplaced(options, c->verb->id);
	ours = options_extension(options);
	if (option == OPTION_COUNT && c->as_cryptsetup)
		option = ours;
	if (option != OPTION_COUNT)
		return refuse(c, "Option --%s is not allowed with %s action.", option_name(option),
			      c->verb->name);
	status = refuse_lacking(c);
	if (status != STATUS_OK)
		return status;
	if (options->key_file_count > 1)
		return refuse(c, "Only one --key-file argument is allowed.");
	if (pbkdf && !is_pbkdf(pbkdf))
		return refuse(c, "Password-based key derivation function (PBKDF) can be only "
				 "pbkdf2 or argon2i/argon2id.");
	if (option_set(options, OPTION_PBKDF_FORCE_ITERATIONS) &&
	    option_set(options, OPTION_ITER_TIME))
		return refuse(
			c,
			"PBKDF forced iterations cannot be combined with iteration time option.");
	if (option_set(options, OPTION_KEYSLOT_CIPHER) !=
	    option_set(options, OPTION_KEYSLOT_KEY_SIZE))
		return refuse(
			c,
			"Options --keyslot-cipher and --keyslot-key-size must be used together.");
	if (option_set(options, OPTION_KMS_CERT) != option_set(options, OPTION_KMS_KEY))
		return refuse(c, "Options --kms-cert and --kms-key must be used together.");
	sentence = c->verb->check ? c->verb->check(c) : NULL;
	return sentence ? refuse(c, "%s", sentence) : STATUS_OK;
}

enum status command_run(const struct command *outer, int argc, char **argv)
{
	struct command inner = { .program = outer->program };
	struct option_problem problem;
	enum status status;

	if (!options_parse(&inner.options, argc, argv, &problem))
		return fail_with(STATUS_USAGE, "%s: %s", inner.program, problem.text);
	inner.words = inner.options.words;
	inner.word_count = inner.options.word_count;
	status = find_verb(&inner);
	if (status == STATUS_OK)
		status = check(&inner);
	if (status != STATUS_OK || option_set(&outer->options, OPTION_TEST_ARGS))
		return status;
	return inner.verb->run(&inner);
}

/* Messages in the form of cryptsetup's are never changed. */
static bool is_ours(const struct command *c)
{
	return c->verb->extension || options_extension(&c->options) != OPTION_COUNT ||
	       (c->verb->id == VERB_STATUS && c->word_count == 0);
}

static enum status act(struct command *c)
{
	enum status status;

	status = find_verb(c);
	if (status == STATUS_OK)
		status = check(c);
	if (status != STATUS_OK)
		return status;
	/* attach checks the command line that it stands for, too. */
	if (option_set(&c->options, OPTION_TEST_ARGS) && c->verb->id != VERB_ATTACH) {
		print("No action taken. Invoked with --test-args option.\n");
		return STATUS_OK;
	}
	if (is_ours(c))
		log_begin(option_text(&c->options, OPTION_LOG));
	signals_catch();
	debug(c, "mortise " MORTISE_VERSION ": running %s.", c->verb->name);
	status = c->verb->run(c);
	if (!signals_caught())
		say_status(c, status);
	return status;
}

static enum status help(struct command *c)
{
	enum status status = c->word_count ? find_verb(c) : STATUS_OK;

	if (status != STATUS_OK)
		return status;
	if (c->verb && !c->verb->run)
		return refuse_lacking(c);
	if (option_set(&c->options, OPTION_USAGE))
		help_usage(c, stdout);
	else if (c->verb)
		help_verb(c);
	else
		help_full(c);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	struct option_problem problem = { 0 };
	struct command command = { 0 };
	enum status status = STATUS_OK;
	const char *slash;

	/* A core dump would hold the copies of keys and passphrases that crypto libraries make. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	command.program = argc > 0 ? argv[0] : "mortise";
	slash = strrchr(command.program, '/');
	command.as_cryptsetup = strcmp(slash ? slash + 1 : command.program, "cryptsetup") == 0;
	if (!options_parse(&command.options, argc, argv, &problem)) {
		help_problem(&command, &problem);
		return STATUS_USAGE;
	}
	if (option_set(&command.options, OPTION_DEBUG_JSON))
		command.options.values[OPTION_DEBUG].set = true;
	command.words = command.options.words;
	command.word_count = command.options.word_count;
	if (option_set(&command.options, OPTION_HELP) || option_set(&command.options, OPTION_USAGE))
		status = help(&command);
	else if (option_set(&command.options, OPTION_VERSION))
		help_version(&command);
	else
		status = act(&command);
	/* What was written before may have failed, too. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == STATUS_OK)
		status = fail_with(STATUS_USAGE, "Cannot write to standard output.");
	/* cryptsetup has one status for every failure that has no other. */
	if (command.as_cryptsetup && signals_caught())
		return STATUS_USAGE;
	return signals_status((int)status);
}
