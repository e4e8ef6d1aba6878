/* SPDX-License-Identifier: MIT */
/* Paths of devices and headers, and errors for an invalid header. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"

static void resolve(const char *name, char path[static PATH_MAX])
{
	static const char prefix[] = "UUID=";
	static const char directory[] = "/dev/disk/by-uuid/";
	size_t at = sizeof(directory) - 1;

	snprintf(path, PATH_MAX, "%s", name);
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return;
	name += sizeof(prefix) - 1;
	if (name[strspn(name, "0123456789abcdefABCDEF-")] != '\0' ||
	    strlen(name) >= PATH_MAX - sizeof(directory))
		return;
	memcpy(path, directory, at);
	for (; *name; name++)
		path[at++] = (char)tolower((unsigned char)*name);
	path[at] = '\0';
}

void paths_find(const struct command *c, const char *device, struct paths *paths)
{
	const char *header = option_text(&c->options, OPTION_HEADER);

	resolve(device, paths->device);
	resolve(header ? header : device, paths->header);
	paths->detached = header != NULL;
}

void cipher_whole(const char *given, char cipher[static MORTISE_CIPHER_MAX + 1])
{
	const char *mode = strchr(given, '-');

	if (!mode)
		snprintf(cipher, MORTISE_CIPHER_MAX + 1, "%s-cbc-plain", given);
	else if (strcmp(mode, "-plain") == 0)
		snprintf(cipher, MORTISE_CIPHER_MAX + 1, "%.*s-cbc-plain", (int)(mode - given),
			 given);
	else
		snprintf(cipher, MORTISE_CIPHER_MAX + 1, "%s", given);
}

static enum status load(const struct command *c, const struct mortise_location *location,
			const char *kind, struct mortise_luks2 **out)
{
	const char *path = location->header ? location->header : location->device;
	struct mortise_error err = { 0 };
	char sentence[PATH_MAX + 64];
	enum mortise_code code;

	code = mortise_luks2_load(location, out, &err);
	if (code == MORTISE_OK)
		return STATUS_OK;
	if (code != MORTISE_E_NOT_LUKS2 && code != MORTISE_E_CORRUPT)
		return fail(c, &err);
	snprintf(sentence, sizeof(sentence), "Device %s is not a valid %s device.", path, kind);
	/* For a damaged header, print the details too. */
	if (code == MORTISE_E_CORRUPT || option_set(&c->options, OPTION_DEBUG))
		fail(c, &err);
	return fail_with(STATUS_USAGE, "%s", sentence);
}

enum status header_load(const struct command *c, const struct paths *paths, const char *kind,
			struct mortise_luks2 **out)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &signals_events,
		.device = paths->header,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
		.allow_cipher = option_text(&c->options, OPTION_ALLOW_CIPHER),
		.max_unlock_s = command_max_unlock(c),
	};

	return load(c, &location, kind, out);
}

enum status header_load_with_device(const struct command *c, const struct paths *paths,
				    struct mortise_luks2 **out)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &signals_events,
		.device = paths->device,
		.header = paths->detached ? paths->header : NULL,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
		.allow_cipher = option_text(&c->options, OPTION_ALLOW_CIPHER),
		.max_unlock_s = command_max_unlock(c),
	};

	return load(c, &location, "LUKS", out);
}

enum status header_load_of_mapping(const struct command *c, const char *name,
				   struct mortise_mapping_info *info, struct paths *paths,
				   struct mortise_luks2 **out)
{
	struct mortise_error err = { 0 };
	enum mortise_code code;

	*info = (struct mortise_mapping_info){ .struct_size = sizeof(*info) };
	code = mortise_mapping_info(name, info, &err);
	if (code == MORTISE_E_INACTIVE)
		return fail_with(STATUS_DEVICE, "Device %s is not active.", name);
	if (code)
		return fail(c, &err);
	paths_find(c, info->device, paths);
	return header_load_with_device(c, paths, out);
}

bool header_is_luks1(const char *path)
{
	static const uint8_t magic[8] = { 'L', 'U', 'K', 'S', 0xba, 0xbe, 0, 1 };
	uint8_t start[sizeof(magic)];
	bool same = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return false;
	if (pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start))
		same = memcmp(start, magic, sizeof(magic)) == 0;
	close(fd);
	return same;
}

uint32_t header_volume_key_size(const struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (mortise_keyslot_info(header, id, &info, NULL) == MORTISE_OK && !info.unbound)
			return info.key_size;
	}
	return 0;
}

enum status header_read_volume_key(const struct command *c, struct mortise_luks2 *header,
				   struct mortise_secret **volume_key)
{
	const char *file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);
	size_t size = header_volume_key_size(header);
	struct mortise_error err = { 0 };
	enum mortise_code code;
	enum status status;

	if (size == 0)
		size = option_number32(&c->options, OPTION_KEY_SIZE) / 8;
	if (size == 0)
		return fail_with(STATUS_USAGE, "Cannot determine volume key size for LUKS without "
					       "keyslots, please use --key-size option.");
	status = volume_key_read(file, size, volume_key);
	if (status != STATUS_OK)
		return status;
	code = mortise_volume_key_verify(header, *volume_key, &err);
	if (code == MORTISE_E_KEY)
		return fail_with(STATUS_KEY, "Volume key does not match the volume.");
	return code == MORTISE_OK ? STATUS_OK : fail(c, &err);
}
