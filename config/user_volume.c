/* SPDX-License-Identifier: MIT */
/* UserVolumeConfig, RawVolumeConfig and SwapVolumeConfig documents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/volume.h"

/* The 36 characters of a GPT label, less the prefix "u-". */
#define NAME_MAX_LENGTH 34u

/* Raw and swap volumes have the fields before F_RAW_COUNT. */
enum {
	F_API_VERSION,
	F_KIND,
	F_NAME,
	F_PROVISIONING,
	F_ENCRYPTION,
	F_RAW_COUNT,
	F_FILESYSTEM = F_RAW_COUNT,
	F_MOUNT,
	F_TRIM,
	F_SCRUB,
	F_VOLUME_TYPE,
	F_COUNT,
};

static const char *const field_names[F_COUNT] = {
	[F_API_VERSION] = "apiVersion",
	[F_KIND] = "kind",
	[F_NAME] = "name",
	[F_PROVISIONING] = "provisioning",
	[F_ENCRYPTION] = "encryption",
	[F_FILESYSTEM] = "filesystem",
	[F_MOUNT] = "mount",
	[F_TRIM] = "trim",
	[F_SCRUB] = "scrub",
	[F_VOLUME_TYPE] = "volumeType",
};

enum type {
	TYPE_PARTITION,
	TYPE_DISK,
	TYPE_DIRECTORY,
	TYPE_WRONG,
};

static char get_prefix(enum config_volume_kind kind)
{
	return kind == CONFIG_VOLUME_RAW ? 'r' : kind == CONFIG_VOLUME_SWAP ? 's' : 'u';
}

static void read_name(struct config_log *log, const struct config_node *root,
		      const struct config_field *field, struct config_volume *volume)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-";
	struct config_position position =
		field->key ? config_field_position(field) : root->position;
	const char *text = "";
	size_t errors = log->errors;
	size_t length;

	if (field->value && !config_field_text(log, field, &text))
		return;
	length = strlen(text);
	if (length == 0)
		config_error(log, position, "name is required");
	if (length < 1 || length > NAME_MAX_LENGTH)
		config_error(log, position, "name must be between 1 and %u characters long",
			     NAME_MAX_LENGTH);
	if (text[strspn(text, allowed)])
		config_error(log, position,
			     "name can only contain lowercase and uppercase ASCII letters, digits, "
			     "and hyphens");
	volume->name = config_strdup(log, text);
	if (log->errors > errors)
		return;
	if (asprintf(&volume->id, "%c-%s", get_prefix(volume->kind), text) < 0) {
		volume->id = NULL;
		log->out_of_memory = true;
	}
}

static enum type read_type(struct config_log *log, const struct config_field *field)
{
	static const char *const names[] = { "partition", "disk", "directory" };
	const char *text = names[TYPE_PARTITION];
	char shown[CONFIG_PRINTABLE_SIZE];

	if (field->value && !config_field_text(log, field, &text))
		return TYPE_WRONG;
	for (unsigned i = 0; i < TYPE_WRONG; i++)
		if (strcasecmp(text, names[i]) == 0)
			return (enum type)i;
	config_error(log, field->value->position, "unsupported volume type \"%s\"",
		     config_printable(text, strlen(text), shown));
	return TYPE_WRONG;
}

static void read_provisioning(struct config_log *log, const struct config_node *root,
			      const struct config_field *field, enum type type,
			      struct config_volume *volume)
{
	const struct config_field *provisioning = &field[F_PROVISIONING];

	if (type == TYPE_DISK)
		config_disk_read(log, provisioning, root->position, volume);
	else
		(void)config_provisioning_read(log, provisioning, volume);
}

/* A directory in EPHEMERAL, which Talos creates. */
static void ignore_directory(struct config_log *log, const struct config_field *field,
			     struct config_volume *volume)
{
	static const unsigned forbidden[] = { F_PROVISIONING, F_ENCRYPTION, F_FILESYSTEM };

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		const struct config_field *given = &field[forbidden[i]];

		if (given->value && (given->value->kind != CONFIG_MAPPING || given->value->child))
			config_error(log, given->key->position,
				     "%s spec is invalid for volumeType directory", given->name);
	}
	if (volume->mount_noatime)
		config_error(log, field[F_MOUNT].key->position,
			     "mount.disableAccessTime is invalid for volumeType directory");
	config_notice(log, field[F_VOLUME_TYPE].value->position,
		      "%s is a directory in EPHEMERAL and is ignored; it is encrypted if "
		      "EPHEMERAL is",
		      volume->mount_point ? volume->mount_point : "volumeType directory");
	free(volume->id);
	volume->id = NULL;
}

static void read_mount(struct config_log *log, const struct config_field *field,
		       struct config_volume *volume)
{
	struct config_mount mount;

	config_mount_read(log, field, true, &mount);
	volume->mount_secure = mount.secure;
	volume->mount_noexec = mount.secure;
	volume->mount_noatime = mount.noatime;
	volume->mount_mode = 0755;
	if (mount.path) {
		volume->mount_point = config_strdup(log, mount.path);
	} else if (volume->id && asprintf(&volume->mount_point, "/var/mnt/%s", volume->name) < 0) {
		volume->mount_point = NULL;
		log->out_of_memory = true;
	}
}

void config_user_read(struct config_log *log, const struct config_node *root,
		      enum config_volume_kind kind, struct config_declaration *declared)
{
	const struct config_schema schema = {
		.names = field_names,
		.count = kind == CONFIG_VOLUME_USER ? F_COUNT : F_RAW_COUNT,
	};
	struct config_volume *volume = &declared->volume;
	struct config_field field[F_COUNT] = { 0 };
	enum type type;

	volume->kind = kind;
	config_fields_read(log, root, &schema, field);
	read_name(log, root, &field[F_NAME], volume);
	type = read_type(log, &field[F_VOLUME_TYPE]);
	if (kind == CONFIG_VOLUME_USER) {
		config_upkeep_read(log, &field[F_TRIM], &field[F_SCRUB], volume);
		read_mount(log, &field[F_MOUNT], volume);
	}
	if (type == TYPE_DIRECTORY) {
		ignore_directory(log, field, volume);
		return;
	}
	read_provisioning(log, root, field, type, volume);
	config_encryption_read(log, &field[F_ENCRYPTION], CONFIG_ORIGIN_DOCUMENT, volume);
	declared->encryption = volume->encrypted ? field[F_ENCRYPTION].value : NULL;
	if (kind == CONFIG_VOLUME_USER)
		config_filesystem_read(log, &field[F_FILESYSTEM], volume);
	else
		volume->filesystem = kind == CONFIG_VOLUME_SWAP ? CONFIG_FS_SWAP : CONFIG_FS_NONE;
}
