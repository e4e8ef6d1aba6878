/* SPDX-License-Identifier: MIT */
#include "declared/fsck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/run_dir.h"
#include "disk/filesystem.h"
#include "disk/fsck.h"
#include "disk/geometry.h"

static void get_path(const struct config_volume *volume, char path[static VOLUME_PATH_MAX])
{
	snprintf(path, VOLUME_PATH_MAX, RUN_DIR "/%s.fsck", volume->id);
}

/* Ignores failures: only the report prints this. */
static void store(const struct config_volume *volume, const char *text)
{
	char path[VOLUME_PATH_MAX];
	struct mortise_error ignored;

	get_path(volume, path);
	if (run_dir_store(path, text, &ignored))
		volume_fsck_forget(volume);
}

void volume_fsck_read(const struct config_volume *volume, char text[static VOLUME_FSCK_ROOM])
{
	char path[VOLUME_PATH_MAX];

	get_path(volume, path);
	(void)file_read_text(path, text, VOLUME_FSCK_ROOM);
}

void volume_fsck_forget(const struct config_volume *volume)
{
	char path[VOLUME_PATH_MAX];

	get_path(volume, path);
	(void)unlink(path);
}

/* META does not say which file system STATE has; for other volumes, the declaration decides. */
static enum mortise_code find_type(const struct volume_work *work, const char *node,
				   const char **type, struct mortise_error *err)
{
	const char *found;
	enum mortise_code code = disk_filesystem_find(node, &found, err);

	*type = config_filesystem_name(work->plan->volume->filesystem);
	if (code || !*found)
		return code;
	if (work->run->open_only)
		*type = found;
	/* The first part of the text is Talos's. */
	if (strcmp(found, *type) != 0)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "filesystem type mismatch: %s != %s; %s is unchanged; to mount "
				 "it, declare filesystem.type: %s",
				 found, *type, node, found);
	return MORTISE_OK;
}

static enum mortise_code add_remedy(struct volume_work *work, const char *node, const char *type,
				    const char *why, struct mortise_error *err)
{
	char text[VOLUME_FSCK_ROOM];

	snprintf(text, sizeof(text), "errors: %.300s", why);
	store(work->plan->volume, text);
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "not mounted: the %s file system on %.140s has errors (%.200s); run "
			 "`%s %.140s`, then `mortise up`",
			 type, node, why, disk_fsck_command(type), node);
}

enum mortise_code volume_fsck(struct volume_work *work, const char *node, const char **type,
			      struct mortise_error *err)
{
	const struct config_volume *volume = work->plan->volume;
	const bool force = volume->fsck == CONFIG_FSCK_FORCE;
	char found[VOLUME_FSCK_ROOM];
	struct mortise_error why;
	enum mortise_code code;

	*type = "swap";
	volume_fsck_forget(volume);
	if (volume->filesystem == CONFIG_FS_SWAP)
		return MORTISE_OK;
	code = find_type(work, node, type, err);
	/* e2fsck would call it an error, and cut off what is beyond the end. */
	if (!code && disk_is_shrunk(node, *type, found, sizeof(found)))
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "not mounted: on %s, %.200s; restore the size of its partition",
				 node, found);
	if (code || work->fresh || volume->fsck == CONFIG_FSCK_NONE || disk_is_readonly(node))
		return code;
	code = disk_fsck(&work->run->events, *type, force, node, found, sizeof(found), &why);
	if (code == MORTISE_E_CORRUPT)
		return add_remedy(work, node, *type, why.text, err);
	if (code == MORTISE_E_CANCELED || (code && force))
		return error_set(err, code, 0, "not mounted: cannot check %s: %.300s", node,
				 why.text);
	/* A machine without e2fsck mounts its volumes, too. */
	if (code)
		snprintf(found, sizeof(found), "not checked: %.300s", why.text);
	if (*found)
		store(volume, found);
	return MORTISE_OK;
}

void volume_fsck_explain(struct volume_work *work, const char *node, const char *type,
			 struct mortise_error *err)
{
	char why[MORTISE_ERROR_TEXT];

	if (!err || (err->sys_errno != EUCLEAN && err->sys_errno != EBADMSG))
		return;
	snprintf(why, sizeof(why), "%s", err->text);
	(void)add_remedy(work, node, type, why, err);
}
