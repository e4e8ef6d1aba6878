/* SPDX-License-Identifier: MIT */
/* What a volume's document says of its file system: type, mount, upkeep. */
#include <string.h>
#include <strings.h>

#include "meta/size.h"
#include "meta/volume.h"

#define SCRUB_INTERVAL_MIN 10.0 /* seconds; Talos's */

static bool xfs_read(struct meta_log *log, const struct meta_field *field)
{
	static const char *const names[] = { "minAllocationGroupSize" };
	static const struct meta_schema schema = { .names = names, .count = 1 };
	struct meta_field of;
	struct meta_size size;

	if (!meta_field_mapping(log, field))
		return false;
	meta_fields_read(log, field->value, &schema, &of);
	meta_field_size(log, &of, false, &size);
	if (size.given)
		meta_notice(log, of.key->place,
			    "minAllocationGroupSize has no effect: mkfs.xfs decides");
	return true;
}

static void type_read(struct meta_log *log, const struct meta_field *field,
		      struct meta_volume *volume)
{
	const char *text = "none";
	char shown[META_SHOW_ROOM];

	meta_field_text(log, field, &text);
	if (strcasecmp(text, "xfs") == 0 || strcasecmp(text, "none") == 0)
		volume->filesystem = META_FS_XFS;
	else if (strcasecmp(text, "ext4") == 0)
		volume->filesystem = META_FS_EXT4;
	else if (strcasecmp(text, "btrfs") == 0)
		meta_error(log, field->value->place,
			   "filesystem btrfs is not made by this version: xfs and ext4 are");
	else
		meta_error(log, field->value->place, "unsupported filesystem type: %s",
			   meta_show(text, strlen(text), shown));
}

void meta_filesystem_read(struct meta_log *log, const struct meta_field *filesystem,
			  struct meta_volume *volume)
{
	/* A system volume's file system is fixed, only the options of xfs can be set. */
	enum { F_XFS, F_TYPE, F_QUOTA, F_COUNT };
	static const char *const names[] = { "xfs", "type", "projectQuotaSupport" };
	const struct meta_schema schema = { .names = names,
					    .count = volume->kind != META_VOLUME_SYSTEM ? F_COUNT
											: 1 };
	struct meta_field of[F_COUNT] = { 0 };
	bool quota = false;

	if (!meta_field_mapping(log, filesystem))
		return;
	meta_fields_read(log, filesystem->value, &schema, of);
	if (volume->kind != META_VOLUME_SYSTEM)
		type_read(log, &of[F_TYPE], volume);
	meta_field_bool(log, &of[F_QUOTA], &quota);
	if (quota && volume->filesystem != META_FS_XFS)
		meta_error(log, of[F_QUOTA].key->place,
			   "project quota support is only available for xfs filesystem");
	volume->mount_project_quota = quota;
	if (xfs_read(log, &of[F_XFS]) && volume->filesystem != META_FS_XFS)
		meta_error(log, of[F_XFS].key->place,
			   "xfs options are only available for xfs filesystem");
}

void meta_mount_read(struct meta_log *log, const struct meta_field *field, struct meta_mount *mount)
{
	static const char *const names[] = { "secure", "disableAccessTime" };
	static const struct meta_schema schema = { .names = names, .count = 2 };
	struct meta_field of[2];

	*mount = (struct meta_mount){ .secure = true };
	if (!meta_field_mapping(log, field))
		return;
	meta_fields_read(log, field->value, &schema, of);
	mount->given = of[0].value || of[1].value;
	meta_field_bool(log, &of[0], &mount->secure);
	meta_field_bool(log, &of[1], &mount->noatime);
}

static bool upkeep_one(struct meta_log *log, const struct meta_field *field,
		       struct meta_field *interval, double *seconds)
{
	static const char *const names[] = { "enabled", "interval" };
	static const struct meta_schema schema = { .names = names, .count = 2 };
	struct meta_field of[2];
	bool enabled;

	*seconds = 0;
	if (!meta_field_mapping(log, field))
		return false;
	meta_fields_read(log, field->value, &schema, of);
	meta_field_bool(log, &of[0], &enabled);
	meta_field_duration(log, &of[1], seconds);
	*interval = of[1];
	meta_notice(log, field->key->place, "\"%s\" has no effect: this program does not do it",
		    field->name);
	return true;
}

void meta_upkeep_read(struct meta_log *log, const struct meta_field *trim,
		      const struct meta_field *scrub)
{
	struct meta_field interval;
	double seconds;

	if (upkeep_one(log, trim, &interval, &seconds) && seconds < 0)
		meta_error(log, interval.value->place, "trim interval cannot be negative");
	if (upkeep_one(log, scrub, &interval, &seconds) && seconds != 0 &&
	    seconds < SCRUB_INTERVAL_MIN)
		meta_error(log, interval.value->place, "scrub interval: minimum value is 10s");
}
