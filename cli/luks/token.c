/* SPDX-License-Identifier: MIT */
/* token: add, import, export, unassign or remove tokens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/read.h"
#include "cli/luks/seal.h"
#include "cli/verbs.h"
#include "cli/write.h"

#define TOKEN_JSON_MAX ((size_t)4 << 20) /* bytes: the largest header copy */

static enum status read_json(const struct command *c, char **json, size_t *size)
{
	const char *file = option_text(&c->options, OPTION_JSON_FILE);
	enum status status = STATUS_OK;
	int fd = STDIN_FILENO;

	*json = NULL;
	if (!passphrase_is_stdin(file))
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_with(STATUS_USAGE, "Failed to open file %s in read-only mode.", file);
	if (isatty(fd) && !option_set(&c->options, OPTION_BATCH_MODE)) {
		print("Provide valid LUKS2 token JSON:\n");
		fflush(stdout);
	}
	*json = read_all(fd, TOKEN_JSON_MAX, size);
	if (!*json && errno == ENOMEM)
		status = fail_with(STATUS_MEMORY, "Out of memory while reading JSON file.");
	else if (!*json)
		status = fail_with(STATUS_USAGE, "Failed to read JSON file.");
	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

static enum status token_store(const struct command *c, struct mortise_luks2 *header)
{
	const char *key = option_text(&c->options, OPTION_KEY_DESCRIPTION);
	bool add = strcmp(command_word(c, 0), "add") == 0;
	const struct mortise_token_import how = {
		.struct_size = sizeof(how),
		.token = option_slot(&c->options, OPTION_TOKEN_ID),
		.keyslot = option_slot(&c->options, OPTION_KEY_SLOT),
		.unlinked = option_set(&c->options, OPTION_UNBOUND),
		.replace = option_set(&c->options, OPTION_TOKEN_REPLACE),
	};
	struct mortise_keyslot_info keyslot = { .struct_size = sizeof(keyslot) };
	struct mortise_token_info token = { .struct_size = sizeof(token) };
	struct mortise_error err = { 0 };
	enum status status;
	char *json = NULL;
	size_t size = 0;
	int imported;

	if (how.token < MORTISE_ANY || how.token >= (int)MORTISE_TOKENS_MAX)
		return fail_with(STATUS_USAGE, "Token %d is invalid.", how.token);
	if (how.token != MORTISE_ANY && !how.replace &&
	    mortise_token_info(header, how.token, &token, NULL) == MORTISE_OK)
		return fail_with(STATUS_USAGE, "Token %d in use.", how.token);
	if (how.keyslot != MORTISE_ANY && mortise_keyslot_info(header, how.keyslot, &keyslot, NULL))
		return fail_with(STATUS_USAGE, "Keyslot %d is not active.", how.keyslot);
	status = add ? STATUS_OK : read_json(c, &json, &size);
	if (status != STATUS_OK)
		return status;
	if (add ? mortise_token_add_keyring(header, &how, key, &imported, &err)
		: mortise_token_import(header, &how, json, size, &imported, &err)) {
		fail(c, &err);
		status = add ? fail_with(STATUS_USAGE, "Failed to add luks2-keyring token %d.",
					 how.token)
			     : fail_with(STATUS_USAGE, "Failed to import token from file.");
	} else {
		verbose(c, "Token %d created.", imported);
	}
	free(json);
	return status;
}

static enum status write_json(const char *file, const char *json)
{
	bool to_stdout = passphrase_is_stdin(file);
	int fd = STDOUT_FILENO;
	bool written;

	if (!to_stdout)
		fd = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOCTTY,
			  S_IRUSR | S_IWUSR);
	if (fd < 0)
		return fail_with(STATUS_USAGE, "Failed to open file %s in write mode.", file);
	written = write_escaped(fd, MORTISE_ESCAPE_JSON, json, strlen(json)) &&
		  (!isatty(fd) || write_all(fd, "\n", 1));
	if (!to_stdout && close(fd) != 0)
		written = false;
	return written ? STATUS_OK : fail_with(STATUS_USAGE, "Failed to write JSON file.");
}

static enum status token_export(const struct command *c, const struct mortise_luks2 *header)
{
	int id = option_slot(&c->options, OPTION_TOKEN_ID);
	struct mortise_error err = { 0 };
	enum status status;
	char *json = NULL;

	if (mortise_token_export(header, id, &json, &err))
		return err.code == MORTISE_E_MEMORY
			       ? fail(c, &err)
			       : fail_with(STATUS_USAGE, "Failed to get token %d for export.", id);
	status = write_json(option_text(&c->options, OPTION_JSON_FILE), json);
	free(json);
	return status;
}

static enum status token_remove(const struct command *c, struct mortise_luks2 *header)
{
	int id = option_slot(&c->options, OPTION_TOKEN_ID);
	struct mortise_token_info token = { .struct_size = sizeof(token) };
	struct mortise_error err = { 0 };

	if (id < 0 || id >= (int)MORTISE_TOKENS_MAX)
		return fail_with(STATUS_USAGE, "Token %d is invalid.", id);
	if (mortise_token_info(header, id, &token, NULL))
		return fail_with(STATUS_USAGE, "Token %d is not in use.", id);
	if (mortise_token_remove(header, id, &err))
		return fail(c, &err);
	verbose(c, "Token %d removed.", id);
	return STATUS_OK;
}

static enum status token_unassign(const struct command *c, struct mortise_luks2 *header)
{
	int id = option_slot(&c->options, OPTION_TOKEN_ID);
	int keyslot = option_slot(&c->options, OPTION_KEY_SLOT);
	struct mortise_error err = { 0 };

	switch (mortise_token_assign(header, id, keyslot, false, &err)) {
	case MORTISE_OK:
		return STATUS_OK;
	case MORTISE_E_NO_KEYSLOT:
	case MORTISE_E_NO_TOKEN:
		return fail_with(STATUS_USAGE, "Token %d is not assigned to keyslot %d.", id,
				 keyslot);
	default:
		fail(c, &err);
		return fail_with(STATUS_USAGE, "Failed to unassign token %d from keyslot %d.", id,
				 keyslot);
	}
}

enum status run_token(const struct command *c)
{
	const char *action = command_word(c, 0);
	struct mortise_luks2 *header = NULL;
	struct paths paths;
	enum status status;

	paths_find(c, command_word(c, 1), &paths);
	status = header_load(c, &paths, "LUKS2", &header);
	if (status != STATUS_OK)
		return status;
	if (strcmp(action, "import") == 0 || strcmp(action, "add") == 0)
		status = token_store(c, header);
	else if (strcmp(action, "unassign") == 0)
		status = token_unassign(c, header);
	else if (strcmp(action, "export") == 0)
		status = token_export(c, header);
	else
		status = token_remove(c, header);
	if (status == STATUS_OK && strcmp(action, "export") != 0)
		seal_warn_after_change(c, header);
	mortise_luks2_free(&header);
	return status;
}
