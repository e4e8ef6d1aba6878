/* SPDX-License-Identifier: MIT */
/* Opening device-mapper's control node, after creating it if necessary. */
#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONTROL_NODE  "/dev/" DM_DIR "/" DM_CONTROL_NODE
#define MISC_MAJOR    10u  /* Documentation/admin-guide/devices.txt */
#define CONTROL_MINOR 236u /* likewise; opening the node loads the module */

static int kernel_ioctl(void *context, unsigned long request, struct dm_ioctl *data)
{
	const struct dm_control *control = context;

	return ioctl(control->fd, request, data) < 0 ? errno : 0;
}

/* Reads the minor number of the running kernel: "236 device-mapper" in /proc/misc. */
static bool read_control_minor(unsigned *control)
{
	char line[64], word[32];
	bool found = false;
	unsigned number;
	FILE *misc;

	misc = fopen("/proc/misc", "re");
	while (misc && !found && fgets(line, sizeof(line), misc))
		found = sscanf(line, "%u %31s", &number, word) == 2 &&
			!strcmp(word, "device-mapper");
	if (misc)
		fclose(misc);
	misc = found ? NULL : fopen("/sys/class/misc/device-mapper/dev", "re");
	if (misc) {
		found = fscanf(misc, "%*u:%u", &number) == 1;
		fclose(misc);
	}
	if (found)
		*control = number;
	return found;
}

/* Returns 0 or errno. *made: this call created the node. */
static int create_control_node(bool *made)
{
	unsigned number = CONTROL_MINOR;
	bool known = read_control_minor(&number);
	struct stat st;

	if (!lstat(CONTROL_NODE, &st)) {
		if (S_ISCHR(st.st_mode) && (!known || st.st_rdev == makedev(MISC_MAJOR, number)))
			return 0;
		/* A /dev on disk keeps nodes from earlier boots. */
		if (unlink(CONTROL_NODE))
			return errno;
	}
	if (mkdir("/dev/" DM_DIR, 0755) && errno != EEXIST)
		return errno;
	if (mknod(CONTROL_NODE, S_IFCHR | 0600, makedev(MISC_MAJOR, number)))
		return errno == EEXIST ? 0 : errno;
	*made = true;
	return 0;
}

static enum mortise_code open_error(struct mortise_error *err, int sys)
{
	if (geteuid() != 0 || sys == EPERM || sys == EACCES)
		return dm_set_errno(
			err, sys,
			error_set(err, MORTISE_E_DEVICE, 0,
				  "Cannot initialize device-mapper, running as non-root user. "
				  "Run as root."));
	if (sys == EROFS)
		return error_set(err, MORTISE_E_DEVICE, sys,
				 "cannot create %s (mount a devtmpfs on /dev)", CONTROL_NODE);
	return dm_set_errno(
		err, sys,
		error_set(err, MORTISE_E_KERNEL, 0,
			  "Cannot initialize device-mapper. Is dm_mod kernel module loaded? "
			  "Load it (modprobe dm_mod), or use a kernel with CONFIG_BLK_DEV_DM."));
}

static enum mortise_code check_version(struct dm_control *control, struct mortise_error *err)
{
	const struct dm_call call = { .request = DM_VERSION };
	struct dm_reply reply;
	int sys = dm_run(control, &call, &reply);

	memcpy(control->version, reply.header.version, sizeof(control->version));
	dm_reply_clear(&reply);
	if (sys)
		return open_error(err, sys);
	if (control->version[0] != DM_VERSION_MAJOR)
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "Cannot initialize device-mapper. The kernel has version %u "
				 "of its interface, version %u is needed.",
				 control->version[0], DM_VERSION_MAJOR);
	return MORTISE_OK;
}

static struct dm_control *control_new(void)
{
	struct dm_control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->fd = -1;
	control->host = (struct dm_host){
		.block_inspect = dm_block_inspect,
		.key_add = dm_key_add,
		.key_remove = dm_key_remove,
		.pause = dm_pause,
	};
	return control;
}

enum mortise_code dm_open(struct dm_control **out, struct mortise_error *err)
{
	struct dm_control *control;
	enum mortise_code code;
	bool made = false;
	int sys;

	*out = NULL;
	control = control_new();
	if (!control)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot open device-mapper");
	sys = create_control_node(&made);
	/* The node may work even if creating it failed: with a read-only /dev or without /proc. */
	control->fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	if (control->fd < 0) {
		code = open_error(err, sys ? sys : errno);
		goto out;
	}
	control->kernel = (struct dm_kernel){ .ioctl = kernel_ioctl, .context = control };
	control->nodes = true;
	code = check_version(control, err);
	if (code)
		goto out;
	*out = control;
	control = NULL;
out:
	if (code && made)
		unlink(CONTROL_NODE);
	dm_close(control);
	return code;
}

enum mortise_code dm_open_kernel(const struct dm_kernel *kernel, struct dm_control **out,
				 struct mortise_error *err)
{
	struct dm_control *control;
	enum mortise_code code;

	*out = NULL;
	control = control_new();
	if (!control)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot open device-mapper");
	control->kernel = *kernel;
	code = check_version(control, err);
	if (code)
		dm_close(control);
	else
		*out = control;
	return code;
}

void dm_close(struct dm_control *control)
{
	if (!control)
		return;
	if (control->fd >= 0)
		close(control->fd);
	free(control);
}
