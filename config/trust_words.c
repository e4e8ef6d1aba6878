/* SPDX-License-Identifier: MIT */
/* The same as a trust file on the kernel command line: mortise.trust=WORD,WORD=VALUE,... */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/trust_member.h"

#define PARAMETER "mortise.trust"
#define SOURCE	  "the kernel command line"

static const char *const words[CONFIG_TRUST_MEMBERS] = {
	[CONFIG_TRUST_STATE_ENCRYPTED] = "state.encrypted",
	[CONFIG_TRUST_STATE_KEYS] = "state.keys",
	[CONFIG_TRUST_HEADERS] = "headers",
	[CONFIG_TRUST_KMS_ENDPOINTS] = "kms.endpoint",
	[CONFIG_TRUST_KMS_INSECURE] = "kms.insecure",
	[CONFIG_TRUST_KMS_CA] = "kms.ca",
	[CONFIG_TRUST_META_NODE_UUID] = "meta.node-uuid",
	[CONFIG_TRUST_NODE_ID] = "node-id",
};

static const struct config_position whole;

static bool is_flag(unsigned member)
{
	return member == CONFIG_TRUST_STATE_ENCRYPTED || member == CONFIG_TRUST_KMS_INSECURE ||
	       member == CONFIG_TRUST_META_NODE_UUID;
}

/* Sets the member of one word, which is changed. A flag alone is true. */
static void read_word(struct config_log *log, char *word, struct config_trust *trust)
{
	struct config_trust_value value = { .name = word };
	char shown[CONFIG_PRINTABLE_SIZE];
	char *equals = strchr(word, '=');
	unsigned member = 0;
	char *rest = NULL;

	if (equals)
		*equals = '\0';
	while (member < CONFIG_TRUST_MEMBERS && strcmp(word, words[member]) != 0)
		member++;
	value.text = equals ? equals + 1 : is_flag(member) ? "true" : "";
	if (member == CONFIG_TRUST_MEMBERS)
		config_error(log, whole,
			     "unknown word \"%s\" in " PARAMETER
			     "; use state.encrypted, state.keys, headers, kms.endpoint, "
			     "kms.insecure, kms.ca, meta.node-uuid or node-id",
			     config_printable(word, strlen(word), shown));
	else if (!*value.text)
		config_error(log, whole, "\"%s\" has no value in " PARAMETER, word);
	else if ((trust->given & 1u << member) && member != CONFIG_TRUST_KMS_ENDPOINTS)
		config_error(log, whole, "\"%s\" is given twice in " PARAMETER, word);
	else if (member != CONFIG_TRUST_STATE_KEYS && member != CONFIG_TRUST_NODE_ID)
		config_trust_set(log, (enum config_trust_member)member, &value, trust);
	else
		for (rest = equals + 1; (value.text = strsep(&rest, "+"));)
			config_trust_set(log, (enum config_trust_member)member, &value, trust);
}

/* Reads one parameter of the kernel, which is changed. */
static void read_parameter(struct config_log *log, char *parameter, struct config_trust *trust)
{
	const size_t name = strlen(PARAMETER);
	char *rest = parameter + name;
	char *word;

	if (strncmp(parameter, PARAMETER, name) != 0 || (*rest && *rest != '='))
		return;
	if (!*rest || !rest[1]) {
		config_error(log, whole, PARAMETER " has no value");
		return;
	}
	rest++;
	while ((word = strsep(&rest, ",")))
		read_word(log, word, trust);
}

/* Cuts the next parameter off *rest. As in the kernel, quotation marks keep white space. */
static char *next_parameter(char **rest)
{
	char *from = *rest + strspn(*rest, " \t\n"), *to = from, *start = from;
	bool quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (quoted || !strchr(" \t\n", *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return start;
}

enum mortise_code config_trust_parse_command_line(const char *text, size_t size,
						  struct config_trust **out,
						  struct mortise_error *err)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_trust *trust = config_trust_new();
	char *copy = strndup(text, size), *rest = copy, *parameter;

	if (!copy)
		log.out_of_memory = true;
	while (trust && copy && (parameter = next_parameter(&rest)))
		read_parameter(&log, parameter, trust);
	free(copy);
	return config_trust_finish(&log, SOURCE, trust, out, err);
}
