/* SPDX-License-Identifier: MIT */
/* Reads options as popt reads them for cryptsetup: no abbreviations, words in any place. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_table.h"
#include "cli/output.h"
#include "cli/pcr.h"

static const char bad_number[] = "invalid numeric value";
static const char bad_key_size[] = "Key size must be a multiple of 8 bits";

bool option_set(const struct options *options, enum option_id id)
{
	return options->values[id].set;
}

const char *option_text(const struct options *options, enum option_id id)
{
	return options->values[id].set ? options->values[id].text : NULL;
}

uint64_t option_number(const struct options *options, enum option_id id)
{
	return options->values[id].set ? options->values[id].number : 0;
}

uint32_t option_number32(const struct options *options, enum option_id id)
{
	return (uint32_t)option_number(options, id);
}

int option_slot(const struct options *options, enum option_id id)
{
	return options->values[id].set ? options->values[id].id : -1;
}

const char *option_name(enum option_id id)
{
	return option_table[id].name;
}

static bool refuse(struct option_problem *problem, const char *text)
{
	problem->of_option = false;
	snprintf(problem->text, sizeof(problem->text), "%s", text);
	return false;
}

static bool refuse_option(struct option_problem *problem, const char *option, const char *why)
{
	problem->of_option = true;
	snprintf(problem->text, sizeof(problem->text), "%.200s: %s", option, why);
	return false;
}

static bool refuse_unknown(struct option_problem *problem, const char *option)
{
	problem->unknown = option;
	return refuse_option(problem, option, "unknown option");
}

static bool parse_unsigned(const char *text, uint64_t limit, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *number <= limit;
}

static bool parse_slot(const char *text, int *id)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || number < INT32_MIN || number > INT32_MAX)
		return false;
	*id = (int)number;
	return true;
}

/* S is a sector; K M G T, alone or with iB, count by 1024 and with B by 1000. */
static bool suffix_factor(const char *suffix, uint64_t *factor)
{
	static const char powers[] = "KMGT";
	size_t length = strlen(suffix);
	uint64_t base = length == 2 ? 1000 : 1024;
	const char *power;

	*factor = 1;
	if (length == 0)
		return true;
	if (length > 3 || (length == 2 && suffix[1] != 'B') ||
	    (length == 3 && strcmp(suffix + 1, "iB") != 0))
		return false;
	if (toupper((unsigned char)suffix[0]) == 'S') {
		*factor = 512;
		return true;
	}
	power = strchr(powers, toupper((unsigned char)suffix[0]));
	if (!power)
		return false;
	for (const char *p = powers; p <= power; p++)
		*factor *= base;
	return true;
}

static bool parse_size(const char *text, uint64_t *size)
{
	uint64_t factor;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno != 0 || !suffix_factor(end, &factor) || *size > UINT64_MAX / factor)
		return false;
	*size *= factor;
	return true;
}

/* The checks that need nothing but the one option. */
static bool check_value(enum option_id id, const struct option_value *value,
			struct option_problem *problem)
{
	const char *word;
	uint32_t pcrs;
	unsigned pcr;

	switch (id) {
	case OPTION_KEY_SIZE:
		return value->number % 8 == 0 || refuse(problem, bad_key_size);
	case OPTION_KEYSLOT_KEY_SIZE:
		if (value->number == 0)
			return refuse(problem, bad_number);
		return value->number % 8 == 0 || refuse(problem, bad_key_size);
	case OPTION_KEY_SLOT:
		return value->id >= 0 || refuse(problem, "Key slot is invalid.");
	case OPTION_SECTOR_SIZE:
		if (value->number >= 512 && value->number <= 4096 &&
		    (value->number & (value->number - 1)) == 0)
			return true;
		return refuse(problem, "Unsupported encryption sector size.");
	case OPTION_PRIORITY:
		if (strcmp(value->text, "normal") == 0 || strcmp(value->text, "prefer") == 0 ||
		    strcmp(value->text, "ignore") == 0)
			return true;
		return refuse(problem, "Option --priority can be only ignore/normal/prefer.");
	case OPTION_TPM_PCRS:
		return pcr_list(value->text, &pcrs) ||
		       refuse(problem, "Option --tpm-pcrs takes a list of numbers from 0 to 23, "
				       "separated by commas, or an empty list.");
	case OPTION_EXTEND_PCR:
		return pcr_extension(value->text, &pcr, &word) ||
		       refuse(problem, "Option --extend-pcr takes N:WORD: a number from 0 to 23 "
				       "and 1 to 64 printable characters.");
	case OPTION_LOG:
		return strcmp(value->text, "kmsg") == 0 || strcmp(value->text, "stderr") == 0 ||
		       refuse(problem, "Option --log takes kmsg or stderr.");
	case OPTION_WAIT:
		return value->number <= UINT32_MAX / 1000 || refuse(problem, bad_number);
	default:
		return true;
	}
}

static bool store(struct options *options, enum option_id id, const char *text,
		  struct option_problem *problem)
{
	const struct option_row *row = &option_table[id];
	struct option_value *value = &options->values[id];
	char why[160];

	value->text = text;
	switch (row->kind) {
	case KIND_FLAG:
	case KIND_TEXT:
		break;
	case KIND_LIST:
		if (options->device_count == OPTIONS_DEVICES_MAX)
			return refuse(problem, "Too many --device options.");
		options->devices[options->device_count++] = text;
		break;
	case KIND_SLOT:
		if (!parse_slot(text, &value->id))
			return refuse(problem, bad_number);
		break;
	case KIND_UINT32:
	case KIND_UINT64:
		if (!parse_unsigned(text, row->kind == KIND_UINT32 ? UINT32_MAX : UINT64_MAX,
				    &value->number))
			return refuse(problem, bad_number);
		break;
	case KIND_SIZE:
		if (parse_size(text, &value->number))
			break;
		snprintf(why, sizeof(why), "Invalid size specification in parameter --%s.",
			 row->name);
		return refuse(problem, why);
	}
	value->set = true;
	if (id == OPTION_KEY_FILE)
		options->key_file_count++;
	return check_value(id, value, problem);
}

static enum option_id find_name(const char *name, size_t length)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (strncmp(option_table[i].name, name, length) == 0 &&
		    option_table[i].name[length] == '\0')
			return (enum option_id)i;
	}
	for (const struct option_alias *alias = option_aliases; alias->name; alias++) {
		if (strncmp(alias->name, name, length) == 0 && alias->name[length] == '\0')
			return alias->id;
	}
	return OPTION_COUNT;
}

static enum option_id find_letter(char letter)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (option_table[i].letter == letter)
			return (enum option_id)i;
	}
	return OPTION_COUNT;
}

/* argv[*i] is "--name" or "--name=value". */
static bool parse_long(struct options *options, char **argv, int *i, struct option_problem *problem)
{
	const char *word = argv[*i];
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
	enum option_id id = find_name(word + 2, length);

	if (id == OPTION_COUNT)
		return refuse_unknown(problem, word);
	if (option_table[id].kind == KIND_FLAG) {
		if (equals)
			return refuse_option(problem, word, "option does not take an argument");
		return store(options, id, NULL, problem);
	}
	if (equals)
		return store(options, id, equals + 1, problem);
	if (!argv[*i + 1])
		return refuse_option(problem, word, "missing argument");
	return store(options, id, argv[++*i], problem);
}

/* argv[*i] is "-abc", "-cVALUE", "-c=VALUE" or "-c VALUE". */
static bool parse_letters(struct options *options, char **argv, int *i,
			  struct option_problem *problem)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		enum option_id id = find_letter(*p);
		char name[3] = { '-', *p, '\0' };

		if (id == OPTION_COUNT)
			return refuse_option(problem, name, "unknown option");
		if (option_table[id].kind == KIND_FLAG) {
			if (!store(options, id, NULL, problem))
				return false;
			continue;
		}
		if (p[1] == '=')
			return store(options, id, p + 2, problem);
		if (p[1] != '\0')
			return store(options, id, p + 1, problem);
		if (!argv[*i + 1])
			return refuse_option(problem, name, "missing argument");
		return store(options, id, argv[++*i], problem);
	}
	return true;
}

bool options_parse(struct options *options, int argc, char **argv, struct option_problem *problem)
{
	bool only_words = false;

	memset(options, 0, sizeof(*options));
	options->words = argv + 1;
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];

		if (only_words || word[0] != '-' || word[1] == '\0') {
			options->words[options->word_count++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (word[1] == '-' ? !parse_long(options, argv, &i, problem)
				   : !parse_letters(options, argv, &i, problem))
			return false;
		if (option_set(options, OPTION_HELP) || option_set(options, OPTION_USAGE) ||
		    option_set(options, OPTION_VERSION))
			return true;
	}
	return true;
}

enum option_id options_misplaced(const struct options *options, enum verb_id verb)
{
	int i;

	for (i = 0; i < OPTION_COUNT; i++) {
		if (options->values[i].set && !(option_table[i].verbs & (UINT64_C(1) << verb)))
			break;
	}
	return (enum option_id)i;
}

enum option_id options_lacking(const struct options *options, enum verb_id verb)
{
	const uint64_t taken = UINT64_C(1) << verb | OPTION_IGNORED;
	int i;

	for (i = 0; i < OPTION_COUNT; i++) {
		if (options->values[i].set && !(option_table[i].have & taken))
			break;
	}
	return (enum option_id)i;
}

enum option_id options_extension(const struct options *options)
{
	int i;

	for (i = 0; i < OPTION_COUNT; i++) {
		if (options->values[i].set && option_is_extension(&option_table[i]))
			break;
	}
	return (enum option_id)i;
}
