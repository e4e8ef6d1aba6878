/* SPDX-License-Identifier: MIT */
/* The fields "filesystem", "mount", "trim" and "scrub". */
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
		config_error(log, field->value->position,
			     "filesystem btrfs is not supported; use xfs or ext4");
	else
		config_error(log, field->value->position, "unsupported filesystem type: %s",
			     config_printable(text, strlen(text), shown));
}

void config_filesystem_read(struct config_log *log, const struct config_field *filesystem,
			    struct config_volume *volume)
{
	/* The file system of a system volume is fixed: only options of xfs are allowed. */
	enum { F_XFS, F_TYPE, F_QUOTA, F_COUNT };
	static const char *const names[] = { "xfs", "type", "projectQuotaSupport" };
	const struct config_schema schema = {
		.names = names, .count = volume->kind != CONFIG_VOLUME_SYSTEM ? F_COUNT : 1
	};
	struct config_field of[F_COUNT] = { 0 };
	bool quota = false;

	if (!config_field_mapping(log, filesystem))
		return;
	config_fields_read(log, filesystem->value, &schema, of);
	if (volume->kind != CONFIG_VOLUME_SYSTEM)
		read_type(log, &of[F_TYPE], volume);
	config_field_bool(log, &of[F_QUOTA], &quota);
	if (quota && volume->filesystem != CONFIG_FS_XFS)
		config_error(log, of[F_QUOTA].key->position,
			     "project quota support is only available for xfs filesystem");
	volume->mount_project_quota = quota;
	if (read_xfs_options(log, &of[F_XFS]) && volume->filesystem != CONFIG_FS_XFS)
		config_error(log, of[F_XFS].key->position,
			     "xfs options are only available for xfs filesystem");
}

void config_mount_read(struct config_log *log, const struct config_field *field,
		       struct config_mount *mount)
{
	static const char *const names[] = { "secure", "disableAccessTime" };
	static const struct config_schema schema = { .names = names, .count = 2 };
	struct config_field of[2];

	*mount = (struct config_mount){ .secure = true };
	if (!config_field_mapping(log, field))
		return;
	config_fields_read(log, field->value, &schema, of);
	mount->given = of[0].value || of[1].value;
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
		[CONFIG_FS_XFS] = "xfs",
		[CONFIG_FS_EXT4] = "ext4",
		[CONFIG_FS_SWAP] = "swap",
		[CONFIG_FS_NONE] = "none",
	};

	return names[filesystem];
}

bool config_filesystem_is_persistent(enum config_filesystem filesystem)
{
	return filesystem == CONFIG_FS_XFS || filesystem == CONFIG_FS_EXT4;
}
