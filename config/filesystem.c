/* SPDX-License-Identifier: MIT */
/* The fields "filesystem", "mount", "trim" and "scrub". */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/size.h"
#include "config/volume.h"

#define SCRUB_INTERVAL_MIN    10.0	     /* seconds; Talos's */
#define TRIM_INTERVAL_DEFAULT (168u * 3600u) /* seconds; that of Talos's default configuration */

static bool read_xfs_options(struct config_log *log, const struct config_field *field)
{
	static const char *const names[] = { "minAllocationGroupSize" };
	static const struct config_schema schema = { .names = names, .count = 1 };
	struct config_field of;
	struct config_size size;

	if (!config_field_mapping(log, field))
		return false;
	config_fields_read(log, field->value, &schema, &of);
	config_field_size(log, &of, false, &size);
	if (size.given)
		config_notice(log, of.key->position,
			      "minAllocationGroupSize is ignored: mkfs.xfs chooses it");
	return true;
}

static void read_type(struct config_log *log, const struct config_field *field,
		      struct config_volume *volume)
{
	const char *text = "none";
	char shown[CONFIG_PRINTABLE_SIZE];

	config_field_text(log, field, &text);
	if (strcasecmp(text, "xfs") == 0 || strcasecmp(text, "none") == 0)
		volume->filesystem = CONFIG_FS_XFS;
	else if (strcasecmp(text, "ext4") == 0)
		volume->filesystem = CONFIG_FS_EXT4;
	else if (strcasecmp(text, "btrfs") == 0)
		volume->filesystem = CONFIG_FS_BTRFS;
	else
		config_error(log, field->value->position,
			     "unsupported filesystem type: %s; use xfs, ext4 or btrfs",
			     config_printable(text, strlen(text), shown));
}

static void read_fsck(struct config_log *log, const struct config_field *field,
		      struct config_volume *volume)
{
	static const char *const names[] = {
		[CONFIG_FSCK_PREEN] = "preen",
		[CONFIG_FSCK_NONE] = "none",
		[CONFIG_FSCK_FORCE] = "force",
	};
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *text;

	if (!config_field_text(log, field, &text))
		return;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		volume->fsck = (enum config_fsck)i;
		return;
	}
	config_error(log, field->value->position, "unknown fsck: %s; use none, preen or force",
		     config_printable(text, strlen(text), shown));
}

void config_filesystem_read(struct config_log *log, const struct config_field *filesystem,
			    struct config_volume *volume)
{
	/* Talos has "fsck" nowhere, and "type" only in a user volume. */
	enum { F_XFS, F_TYPE, F_FSCK, F_QUOTA, F_COUNT };
	static const char *const names[] = { "xfs", "type", "fsck", "projectQuotaSupport" };
	const struct config_schema schema = {
		.names = names, .count = volume->kind != CONFIG_VOLUME_SYSTEM ? F_COUNT : F_QUOTA
	};
	struct config_field of[F_COUNT] = { 0 };
	bool quota = false;

	if (!config_field_mapping(log, filesystem))
		return;
	config_fields_read(log, filesystem->value, &schema, of);
	if (of[F_TYPE].value)
		read_type(log, &of[F_TYPE], volume);
	read_fsck(log, &of[F_FSCK], volume);
	config_field_bool(log, &of[F_QUOTA], &quota);
	if (quota && volume->filesystem != CONFIG_FS_XFS)
		config_error(log, of[F_QUOTA].key->position,
			     "project quota support is only available for xfs filesystem");
	volume->mount_project_quota = quota;
	if (read_xfs_options(log, &of[F_XFS]) && volume->filesystem != CONFIG_FS_XFS)
		config_error(log, of[F_XFS].key->position,
			     "xfs options are only available for xfs filesystem");
}

static bool is_at_or_below(const char *path, const char *directory)
{
	const size_t length = strlen(directory);

	return !strncmp(path, directory, length) && (!path[length] || path[length] == '/');
}

/* Why nothing can be mounted at this path, or NULL. */
static const char *find_path_obstacle(const char *path)
{
	static const char *const reserved[] = { "/dev", "/proc", "/run", "/sys" };
	/* A STATE that another program has made must not replace programs or the trust file. */
	static const char *const image[] = { "/bin",   "/boot",	  "/etc",  "/lib", "/lib32",
					     "/lib64", "/libx32", "/sbin", "/usr" };
	static const char state[] = "/system/state";

	if (*path != '/')
		return "it is not absolute";
	if (!path[1])
		return "it is the root directory";
	if (strlen(path) > CONFIG_MOUNT_PATH_MAX)
		return "it has more than 127 bytes";
	for (const char *at = path; *at; at++) {
		const size_t length = strcspn(at + 1, "/");

		if ((unsigned char)*at < ' ' || *at == '\x7f')
			return "it has a control character";
		if (*at == '/' && (!length || (at[1] == '.' && length == 1) ||
				   (at[1] == '.' && at[2] == '.' && length == 2)))
			return "it has an empty component, \".\" or \"..\"";
	}
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (is_at_or_below(path, reserved[i]))
			return "the system uses this directory";
	for (size_t i = 0; i < sizeof(image) / sizeof(*image); i++)
		if (is_at_or_below(path, image[i]))
			return "this directory belongs to the boot image";
	/* STATE is mounted first: a volume above it would hide it. */
	if (is_at_or_below(path, state) || is_at_or_below(state, path))
		return "STATE is mounted at /system/state";
	return NULL;
}

static void read_path(struct config_log *log, const struct config_field *field, const char **path)
{
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *text, *why;

	if (!config_field_text(log, field, &text))
		return;
	why = find_path_obstacle(text);
	if (why)
		config_error(log, field->value->position, "mount path \"%s\": %s",
			     config_printable(text, strlen(text), shown), why);
	else
		*path = text;
}

void config_mount_read(struct config_log *log, const struct config_field *field, bool has_path,
		       struct config_mount *mount)
{
	static const char *const names[] = { "secure", "disableAccessTime", "path" };
	const struct config_schema schema = { .names = names, .count = has_path ? 3 : 2 };
	struct config_field of[3] = { 0 };

	*mount = (struct config_mount){ .secure = true };
	if (!config_field_mapping(log, field))
		return;
	config_fields_read(log, field->value, &schema, of);
	mount->given = of[0].value || of[1].value;
	read_path(log, &of[2], &mount->path);
	config_field_bool(log, &of[0], &mount->secure);
	config_field_bool(log, &of[1], &mount->noatime);
}

struct upkeep {
	bool enabled;
	double seconds; /* 0: not given */
	struct config_field interval;
};

/* As in Talos, the mapping enables the upkeep unless it says otherwise. */
static bool read_upkeep(struct config_log *log, const struct config_field *field,
			struct upkeep *upkeep)
{
	static const char *const names[] = { "enabled", "interval" };
	static const struct config_schema schema = { .names = names, .count = 2 };
	struct config_field of[2];

	*upkeep = (struct upkeep){ .enabled = true };
	if (!config_field_mapping(log, field))
		return false;
	config_fields_read(log, field->value, &schema, of);
	config_field_bool(log, &of[0], &upkeep->enabled);
	config_field_duration(log, &of[1], &upkeep->seconds);
	upkeep->interval = of[1];
	return true;
}

static void read_trim(struct config_log *log, const struct config_field *field,
		      struct config_volume *volume)
{
	struct upkeep trim;

	if (!read_upkeep(log, field, &trim))
		return;
	if (trim.seconds < 0)
		config_error(log, trim.interval.value->position,
			     "trim interval cannot be negative");
	volume->trim = trim.enabled;
	volume->trim_interval = trim.seconds > 0 ? (uint64_t)trim.seconds : TRIM_INTERVAL_DEFAULT;
	if (volume->trim && volume->encrypted && !volume->allow_discards)
		config_notice(log, field->key->position,
			      "\"trim\" has no effect: the encryption does not pass discards on; "
			      "add \"allowDiscards: true\" to it");
}

void config_upkeep_read(struct config_log *log, const struct config_field *trim,
			const struct config_field *scrub, struct config_volume *volume)
{
	struct upkeep upkeep;

	read_trim(log, trim, volume);
	if (!read_upkeep(log, scrub, &upkeep))
		return;
	if (upkeep.seconds != 0 && upkeep.seconds < SCRUB_INTERVAL_MIN)
		config_error(log, upkeep.interval.value->position,
			     "scrub interval: minimum value is 10s");
	config_notice(log, scrub->key->position, "\"scrub\" is ignored: it is not implemented");
}

const char *config_filesystem_name(enum config_filesystem filesystem)
{
	static const char *const names[] = {
		[CONFIG_FS_XFS] = "xfs",   [CONFIG_FS_EXT4] = "ext4", [CONFIG_FS_BTRFS] = "btrfs",
		[CONFIG_FS_SWAP] = "swap", [CONFIG_FS_NONE] = "none",
	};

	return names[filesystem];
}

bool config_filesystem_is_persistent(enum config_filesystem filesystem)
{
	return filesystem == CONFIG_FS_XFS || filesystem == CONFIG_FS_EXT4 ||
	       filesystem == CONFIG_FS_BTRFS;
}
