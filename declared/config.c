/* SPDX-License-Identifier: MIT */
/* A configuration as a file: read whole, kept, and what is to be said about it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "declared/declared.h"

#define CONFIG_MAX  (1u << 20)
#define CONFIG_ROOM (16u << 10) /* bytes to begin with: more than most have */

/* More room with what text holds, to which used bytes have been read; text is NULL at first. */
static enum mortise_code grow(struct mortise_secret **text, size_t used, struct mortise_error *err)
{
	size_t room = used ? 2 * used : CONFIG_ROOM;
	struct mortise_secret *larger = NULL;
	enum mortise_code code;

	code = mortise_secret_new(room < CONFIG_MAX ? room : CONFIG_MAX + 1, &larger, err);
	if (code)
		return code;
	if (used)
		memcpy(mortise_secret_data(larger), mortise_secret_data(*text), used);
	mortise_secret_free(text);
	*text = larger;
	return MORTISE_OK;
}

/* All of the file, which may hold passphrases, and its size. *text is to be freed. */
static enum mortise_code read_text(int fd, const char *path, struct mortise_secret **text,
				   size_t *used, struct mortise_error *err)
{
	enum mortise_code code = grow(text, 0, err);
	ssize_t got = 1;

	*used = 0;
	while (!code && got && *used <= CONFIG_MAX) {
		if (*used == mortise_secret_size(*text))
			code = grow(text, *used, err);
		if (code)
			break;
		got = read(fd, mortise_secret_data(*text) + *used,
			   mortise_secret_size(*text) - *used);
		if (got < 0 && errno != EINTR)
			code = error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", path);
		*used += got > 0 ? (size_t)got : 0;
	}
	if (!code && *used > CONFIG_MAX)
		code = error_set(err, MORTISE_E_CONFIG, 0, "%s is larger than 1 MiB", path);
	return code;
}

static enum mortise_code make_remarks(struct mortise_config *config, struct mortise_error *err)
{
	const struct config_diagnostics *diagnostics = &config->diagnostics;

	config->remarks = calloc(diagnostics->count + 1, sizeof(*config->remarks));
	if (!config->remarks)
		return error_memory(err);
	for (size_t i = 0; i < diagnostics->count; i++)
		config->remarks[i] = (struct mortise_remark){
			.error = diagnostics->diagnostic[i].error,
			.line = diagnostics->diagnostic[i].line,
			.column = diagnostics->diagnostic[i].column,
			.text = diagnostics->diagnostic[i].text,
		};
	return MORTISE_OK;
}

enum mortise_code mortise_config_read(const char *path, struct mortise_config **out,
				      struct mortise_error *err)
{
	struct mortise_config *config = NULL;
	struct mortise_secret *text = NULL;
	enum mortise_code code;
	size_t used;
	int fd;

	*out = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", path);
	code = read_text(fd, path, &text, &used, err);
	close(fd);
	if (!code) {
		config = calloc(1, sizeof(*config));
		code = config ? config_parse((const char *)mortise_secret_data(text), used, path,
					     &config->volumes, &config->diagnostics, err)
			      : error_memory(err);
	}
	if (config) {
		config->text = text;
		config->text_size = used;
		if (make_remarks(config, err)) {
			mortise_config_free(&config);
			code = MORTISE_E_MEMORY;
		}
	} else {
		mortise_secret_free(&text);
	}
	*out = config;
	return code;
}

void mortise_config_free(struct mortise_config **address)
{
	struct mortise_config *config = address ? *address : NULL;

	if (!config)
		return;
	*address = NULL;
	config_free(config->volumes);
	free(config->remarks);
	config_diagnostics_clear(&config->diagnostics);
	mortise_secret_free(&config->text);
	free(config);
}

const struct mortise_remark *mortise_config_remark(const struct mortise_config *config, size_t i)
{
	return config && i < config->diagnostics.count ? &config->remarks[i] : NULL;
}
