/* SPDX-License-Identifier: MIT */
/* Paths of devices and headers, and errors for an invalid header. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/device.h"
#include "cli/luks/signatures.h"
#include "cli/passphrase.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"

/* udev's links: lower case for UUIDs, "\\x20" for a blank and the like in labels. */
static bool add_link_name(const char *value, bool label, char *out, size_t room)
{
	size_t used = 0;

	for (; *value; value++) {
		const unsigned char byte = (unsigned char)*value;

		if (room - used < 5)
			return false;
		if (!label)
			out[used++] = (char)tolower(byte);
		else if (byte >= 0x80 || isalnum(byte) || strchr("#+-.:=@_", byte))
			out[used++] = (char)byte;
		else
			used += (size_t)snprintf(out + used, room - used, "\\x%02x", byte);
	}
	out[used] = '\0';
	return used > 0;
}

/* Without udev there are no links, but libblkid may find the device. */
static void resolve(const char *name, char path[static PATH_MAX])
{
	static const char *const tags[] = { "UUID", "PARTUUID", "LABEL", "PARTLABEL" };

	snprintf(path, PATH_MAX, "%s", name);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		const size_t length = strlen(tags[i]);
		char link[PATH_MAX], *found;
		int used;

		if (strncmp(name, tags[i], length) != 0 || name[length] != '=')
			continue;
		used = snprintf(link, sizeof(link), "/dev/disk/by-%s/", tags[i]);
		for (char *p = link; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		name += length + 1;
		if (!add_link_name(name, i >= 2, link + used, sizeof(link) - (size_t)used))
			return;
		found = access(link, F_OK) == 0 ? NULL : signatures_device(tags[i], name);
		snprintf(path, PATH_MAX, "%s", found ? found : link);
		free(found);
		return;
	}
}

void paths_find(const struct command *c, const char *device, struct paths *paths)
{
	const char *header = option_text(&c->options, OPTION_HEADER);

	resolve(device, paths->device);
	resolve(header ? header : device, paths->header);
	paths->detached = header != NULL;
}

/* For --debug and --debug-json. A header has no secrets in the clear. */
static void describe(const struct command *c, const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	char *json = NULL;

	if (mortise_header_info(header, &info, NULL))
		return;
	debug(c, "header of %s: UUID %s, epoch %llu, metadata %llu bytes, keyslots %llu bytes",
	      info.header, info.uuid, (unsigned long long)info.seqid,
	      (unsigned long long)info.metadata_size, (unsigned long long)info.keyslots_size);
	if (!option_set(&c->options, OPTION_DEBUG_JSON) || mortise_header_json(header, &json, NULL))
		return;
	print("# ");
	print_json(json);
	print("\n");
	free(json);
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

uint32_t header_version(const struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };

	(void)mortise_header_info(header, &info, NULL);
	return info.version;
}

/* The verbs for which a LUKS1 header is as good as a LUKS2 header. */
static bool takes_luks1(const struct command *c)
{
	const enum verb_id id = c->verb->id;

	return id == VERB_OPEN || id == VERB_DUMP || id == VERB_RESIZE || id == VERB_RESUME ||
	       id == VERB_CONVERT;
}

/* Loads any version, and refuses those that the verb or --type excludes. */
static enum mortise_code load_version(const struct command *c, struct mortise_location *location,
				      struct mortise_luks2 **out, struct mortise_error *err)
{
	enum mortise_code code;
	uint32_t version;

	/* For convert, --type is the new version. */
	location->luks1 = strcmp(c->type, "luks2") != 0 || c->verb->id == VERB_CONVERT;
	code = mortise_luks2_load(location, out, err);
	if (code)
		return code;
	version = header_version(*out);
	if (version == 2 ? strcmp(c->type, "luks1") != 0 || c->verb->id == VERB_CONVERT
			 : takes_luks1(c))
		return MORTISE_OK;
	mortise_luks2_free(out);
	err->code = version == 2 ? MORTISE_E_NOT_LUKS2 : MORTISE_E_UNSUPPORTED;
	snprintf(err->text, sizeof(err->text),
		 "%s is not supported with LUKS1; convert it first: mortise convert --type luks2",
		 c->verb->name);
	return err->code;
}

static enum status load(const struct command *c, struct mortise_location *location,
			const char *kind, struct mortise_luks2 **out)
{
	const char *path = location->header ? location->header : location->device;
	struct mortise_error err = { 0 };
	char sentence[PATH_MAX + 64];
	enum mortise_code code;

	code = load_version(c, location, out, &err);
	if (code == MORTISE_OK) {
		describe(c, *out);
		return STATUS_OK;
	}
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
	struct mortise_location location = {
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
	struct mortise_location location = {
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
	if (info->device[0] == '\0')
		return fail_with(STATUS_DEVICE,
				 "Underlying device for crypt device %s disappeared.", name);
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

bool header_has_volume_key(const struct command *c)
{
	return option_set(&c->options, OPTION_VOLUME_KEY_FILE) ||
	       option_set(&c->options, OPTION_VOLUME_KEY_KEYRING);
}

enum status header_read_volume_key(const struct command *c, struct mortise_luks2 *header,
				   struct mortise_secret **volume_key)
{
	const char *file = option_text(&c->options, OPTION_VOLUME_KEY_FILE);
	size_t size = header_volume_key_size(header);
	struct mortise_error err = { 0 };
	enum mortise_code code = MORTISE_OK;
	enum status status;

	if (!file)
		code = mortise_keyring_read(option_text(&c->options, OPTION_VOLUME_KEY_KEYRING),
					    volume_key, &err);
	if (!file && code)
		return fail(c, &err);
	if (size == 0)
		size = option_number32(&c->options, OPTION_KEY_SIZE) / 8;
	if (file && size == 0)
		return fail_with(STATUS_USAGE, "Cannot determine volume key size for LUKS without "
					       "keyslots, please use --key-size option.");
	status = file ? volume_key_read(file, size, volume_key) : STATUS_OK;
	if (status != STATUS_OK)
		return status;
	code = mortise_volume_key_verify(header, *volume_key, &err);
	if (code == MORTISE_E_KEY)
		return fail_with(STATUS_KEY, "Volume key does not match the volume.");
	return code == MORTISE_OK ? STATUS_OK : fail(c, &err);
}
