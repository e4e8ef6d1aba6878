/* SPDX-License-Identifier: MIT */
/* A part of tests/luks2_operations.h, which includes it: restores and repairs. */
#ifndef LUKS2_RESCUES_H
#define LUKS2_RESCUES_H

/* Backups. */

/* Without a name in the directory of the disk: nothing has to remove it. */
static char backup_path[32];

static inline void store_backup(void)
{
	static int fd = -1;
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	disk_fetch(disk.path, image);
	if (fd < 0)
		fd = memfd_create("backup", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(real_pwrite(fd, image, DISK_SIZE, 0), DISK_SIZE);
	snprintf(backup_path, sizeof(backup_path), "/proc/self/fd/%d", fd);
	free(image);
}

static inline enum mortise_code act_change_again(struct mortise_error *err);
static inline enum mortise_code act_label(struct mortise_error *err);

/* The header has its keyslot at another place than the backup. */
static inline void prepare_restore(void)
{
	prepare_one();
	store_backup();
	assert_int_equal(act_change(NULL), MORTISE_OK);
}

/* The header has its keyslot where the backup has another one. */
static inline void prepare_restore_moving(void)
{
	prepare_restore();
	assert_int_equal(act_change_again(NULL), MORTISE_OK);
}

static inline void prepare_restore_bad_primary(void)
{
	prepare_restore_moving();
	damage(0);
}

static inline void prepare_restore_bad_secondary(void)
{
	prepare_restore_moving();
	damage(COPY_SIZE);
}

static inline void prepare_restore_bad_backup(void)
{
	prepare_bad_primary();
	store_backup();
	assert_int_equal(format_disk(NEW, NULL), MORTISE_OK);
}

static inline void prepare_restore_stale_backup(void)
{
	prepare_bad_secondary();
	store_backup();
	assert_int_equal(format_disk(NEW, NULL), MORTISE_OK);
	damage(COPY_SIZE);
}

/* Another volume, whose header is older. */
static inline void prepare_restore_other(void)
{
	prepare_two();
	assert_int_equal(act_label(NULL), MORTISE_OK);
	store_backup();
	assert_int_equal(format_disk(NEW, NULL), MORTISE_OK);
}

static inline void prepare_restore_nothing(void)
{
	prepare_two();
	store_backup();
	prepare_nothing();
}

static inline enum mortise_code act_restore(struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	const struct mortise_restore how = { .struct_size = sizeof(how),
					     .file = backup_path,
					     .allow = UINT32_MAX };

	return mortise_header_restore(&location, &how, NULL, err);
}

/* Repairs. */

static inline enum mortise_code act_orphan(struct mortise_error *err);

static inline void prepare_orphan(void)
{
	prepare_two();
	assert_int_equal(act_orphan(NULL), MORTISE_OK);
}

static inline void prepare_orphan_bad_primary(void)
{
	prepare_orphan();
	damage(0);
}

static inline void prepare_orphan_bad_secondary(void)
{
	prepare_orphan();
	damage(COPY_SIZE);
}

static inline enum mortise_code act_repair(struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	const struct mortise_repair how = { .struct_size = sizeof(how), .over_foreign = true };

	return mortise_repair(&location, &how, err);
}

#endif
