/* SPDX-License-Identifier: MIT */
/* Keys of kind nodeID: the passphrase is the machine's UUID followed by the volume's id. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "keys/sources/sources.h"

#define UUID_FILE "/sys/class/dmi/id/product_uuid"
#define NO_UUID	  "failed to get UUID (set one with --node-uuid): " UUID_FILE

static bool is_uuid(const char *text)
{
	for (unsigned i = 0; i < MORTISE_UUID_LEN; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

enum mortise_code keys_node_uuid_read(char uuid[static MORTISE_UUID_LEN + 1],
				      struct mortise_error *err)
{
	ssize_t got = file_read_text(UUID_FILE, uuid, MORTISE_UUID_LEN + 1);

	if (got < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno, NO_UUID);
	if (got != MORTISE_UUID_LEN || !is_uuid(uuid)) {
		memset(uuid, 0, MORTISE_UUID_LEN + 1);
		return error_set(err, MORTISE_E_SYSTEM, 0, NO_UUID " contains no UUID");
	}
	/* Older kernels print the UUID in upper case. */
	for (unsigned i = 0; i < MORTISE_UUID_LEN; i++)
		uuid[i] = (char)tolower((unsigned char)uuid[i]);
	return MORTISE_OK;
}

/* The names of the file, in the order of preference, and its contents. */
static const struct node_file {
	const char *paths[2];
	size_t length; /* of a hexadecimal number; 0: any printable text */
} node_files[] = {
	[KEYS_NODE_DEVICE_TREE] = { { "/sys/firmware/devicetree/base/serial-number",
				      "/proc/device-tree/serial-number" },
				    0 },
	[KEYS_NODE_MACHINE_ID] = { { "/etc/machine-id", NULL }, 32 },
};

/* Ends text at its newline or NUL. False: it is not a name. */
static bool cut_name(const struct node_file *file, char *text, size_t size)
{
	size_t length = 0;

	while (length < size && isgraph((unsigned char)text[length]) &&
	       (!file->length || isxdigit((unsigned char)text[length])))
		length++;
	for (size_t i = length; i < size; i++)
		if (text[i] != '\n' && text[i] != '\0')
			return false;
	text[length] = '\0';
	return length && (!file->length || length == file->length);
}

enum mortise_code keys_node_text_read(enum keys_node_source source, const char *root,
				      char text[static KEYS_NODE_TEXT_ROOM],
				      struct mortise_error *err)
{
	const struct node_file *file = &node_files[source];
	enum mortise_code code;
	char path[PATH_MAX];
	ssize_t got;
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < 2 && file->paths[i]; i++) {
		snprintf(path, sizeof(path), "%s%s", root, file->paths[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	text[0] = '\0';
	if (fd < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot read %.200s", path);
	code = file_check_writers(fd, path, err);
	got = code ? 0 : file_read_fd(fd, text, KEYS_NODE_TEXT_ROOM);
	close(fd);
	if (!code && (got <= 0 || got == KEYS_NODE_TEXT_ROOM || !cut_name(file, text, (size_t)got)))
		code = error_set(err, MORTISE_E_SYSTEM, 0,
				 file->length
					 ? "%.200s does not hold 32 hexadecimal digits"
					 : "%.200s does not hold a name of 1 to 127 characters",
				 path);
	if (code)
		memset(text, 0, KEYS_NODE_TEXT_ROOM);
	return code;
}

enum mortise_code keys_node_uuid_check(const char *uuid, struct mortise_error *err)
{
	const size_t length = strlen(uuid);
	size_t count[256] = { 0 };

	if (!length)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "machine UUID is not populated; set one with --node-uuid");
	for (size_t i = 0; i < length; i++) {
		if (++count[(unsigned char)uuid[i]] > length / 2)
			return error_set(
				err, MORTISE_E_POLICY, 0,
				"machine UUID %s entropy check failed: it is a placeholder "
				"of the firmware; set another UUID with --node-uuid",
				uuid);
	}
	return MORTISE_OK;
}

enum mortise_code keys_node_id(const char *uuid, const char *volume_id, struct mortise_secret **out,
			       struct mortise_error *err)
{
	const size_t uuid_length = strlen(uuid), id_length = strlen(volume_id);
	enum mortise_code code;

	*out = NULL;
	code = keys_node_uuid_check(uuid, err);
	if (!code)
		code = mortise_secret_new(uuid_length + id_length, out, err);
	if (code)
		return code;
	memcpy(mortise_secret_writable(*out), uuid, uuid_length);
	memcpy(mortise_secret_writable(*out) + uuid_length, volume_id, id_length);
	return MORTISE_OK;
}
