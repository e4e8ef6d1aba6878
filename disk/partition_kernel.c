/* SPDX-License-Identifier: MIT */
#include "disk/partition_kernel.h"

#include <errno.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/error.h"

static enum mortise_code kernel_error(struct mortise_error *err, int sys, const char *what,
				      const char *path)
{
	return error_set(err, sys == EBUSY ? MORTISE_E_BUSY : MORTISE_E_KERNEL, sys,
			 "cannot %s of %s in the kernel", what, path);
}

enum mortise_code disk_kernel_read(const struct luks2_device *disk, struct mortise_error *err)
{
	if (!disk->block || !ioctl(disk->fd, BLKRRPART))
		return MORTISE_OK;
	return kernel_error(err, errno, "update the partitions", disk->path);
}

/* Returns 0 or an errno value. */
static int call_kernel(const struct luks2_device *disk, int op, struct blkpg_partition *data)
{
	struct blkpg_ioctl_arg call = { .op = op, .datalen = sizeof(*data), .data = data };

	return disk->block && ioctl(disk->fd, BLKPG, &call) ? errno : 0;
}

enum mortise_code disk_kernel_resize(const struct luks2_device *disk, const struct gpt *gpt,
				     const struct gpt_partition *partition,
				     struct mortise_error *err)
{
	struct blkpg_partition data = {
		.start = (long long)(partition->first * gpt->sector),
		.length = (long long)gpt_size(gpt, partition),
		.pno = (int)partition->number,
	};
	int sys = call_kernel(disk, BLKPG_RESIZE_PARTITION, &data);

	return sys ? kernel_error(err, sys, "resize a partition", disk->path) : MORTISE_OK;
}

enum mortise_code disk_kernel_add(const struct luks2_device *disk, const struct gpt *gpt,
				  const struct gpt_partition *partition, struct mortise_error *err)
{
	struct blkpg_partition data = {
		.start = (long long)(partition->first * gpt->sector),
		.length = (long long)gpt_size(gpt, partition),
		.pno = (int)partition->number,
	};
	int sys = call_kernel(disk, BLKPG_ADD_PARTITION, &data);

	return sys ? kernel_error(err, sys, "add a partition", disk->path) : MORTISE_OK;
}

enum mortise_code disk_kernel_remove(const struct luks2_device *disk, unsigned number,
				     struct mortise_error *err)
{
	struct blkpg_partition data = { .pno = (int)number };
	int sys = call_kernel(disk, BLKPG_DEL_PARTITION, &data);

	/* ENXIO: the kernel does not know it. */
	return sys && sys != ENXIO ? kernel_error(err, sys, "remove a partition", disk->path)
				   : MORTISE_OK;
}
