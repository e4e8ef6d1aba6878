/* SPDX-License-Identifier: MIT */
/* Reading a configuration file, and the remarks about it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "declared/declared.h"

#define CONFIG_MAX (1u << 20)

static enum mortise_code read_text(int fd, const char *path, struct mortise_secret **text,
				   struct mortise_error *err)
{
	/* The file may hold passphrases. */
	enum mortise_code code = file_read_secret(fd, path, CONFIG_MAX, text, err);

	if (code == MORTISE_E_USAGE)
		return error_set(err, MORTISE_E_CONFIG, 0, "%s is larger than 1 MiB", path);
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

enum mortise_code volume_config_read(int fd, const char *path, struct mortise_config **out,
				     struct mortise_error *err)
{
	struct mortise_config *config;
	enum mortise_code code, parsed;

	*out = NULL;
	config = calloc(1, sizeof(*config));
	if (!config)
		return error_memory(err);
	code = read_text(fd, path, &config->text, err);
	if (code)
		goto fail;
	parsed = config_parse((const char *)mortise_secret_data(config->text),
			      mortise_secret_size(config->text), path, &config->volumes,
			      &config->diagnostics, err);
	code = make_remarks(config, err);
	if (code)
		goto fail;
	*out = config;
	return parsed;
fail:
	mortise_config_free(&config);
	return code;
}

enum mortise_code mortise_config_read(const char *path, struct mortise_config **out,
				      struct mortise_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum mortise_code code;

	*out = NULL;
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", path);
	code = volume_config_read(fd, path, out, err);
	close(fd);
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
