/* SPDX-License-Identifier: MIT */
/* Reading a configuration file, and the remarks about it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "config/diagnostics.h"
#include "declared/declared.h"

#define CONFIG_MAX     (1u << 20)
#define CONFIG_DEFAULT "/etc/mortise/config.yaml"

/* *unsafe: why other users can write the file; its code is MORTISE_OK if they cannot. */
static enum mortise_code read_text(int fd, const char *path, struct mortise_secret **text,
				   struct mortise_error *unsafe, struct mortise_error *err)
{
	enum mortise_code code;

	unsafe->code = file_check_writers(fd, path, unsafe);
	/* The file may hold passphrases. */
	code = file_read_secret(fd, path, CONFIG_MAX, text, err);
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

/* Adds the notice to those of the parser. */
static enum mortise_code note_unsafe(struct mortise_config *config,
				     const struct mortise_error *unsafe, struct mortise_error *err)
{
	struct config_log log = { .diagnostics = &config->diagnostics };

	if (unsafe->code)
		config_notice(&log, (struct config_position){ 0 }, "%s", unsafe->text);
	config_diagnostics_sort(&config->diagnostics);
	return log.out_of_memory ? error_memory(err) : MORTISE_OK;
}

enum mortise_code volume_config_read(int fd, const char *path, bool own,
				     struct mortise_config **out, struct mortise_error *err)
{
	struct mortise_error unsafe = { 0 };
	struct mortise_config *config;
	enum mortise_code code, parsed;

	*out = NULL;
	config = calloc(1, sizeof(*config));
	if (!config)
		return error_memory(err);
	code = read_text(fd, path, &config->text, &unsafe, err);
	if (!code && own && unsafe.code)
		code = error_set(err, unsafe.code, 0, "%s", unsafe.text);
	if (code)
		goto fail;
	parsed = config_parse((const char *)mortise_secret_data(config->text),
			      mortise_secret_size(config->text), path, &config->volumes,
			      &config->diagnostics, err);
	code = note_unsafe(config, &unsafe, err);
	if (!code)
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
	const char *name = path ? path : CONFIG_DEFAULT;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	enum mortise_code code;

	*out = NULL;
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", name);
	code = volume_config_read(fd, name, !path, out, err);
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
