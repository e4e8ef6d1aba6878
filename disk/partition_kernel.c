/* SPDX-License-Identifier: MIT */
#include "disk/partition_kernel.h"

#include <errno.h>
#include <linux/blkpg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/error.h"

/* Returns 0 or an errno value. */
static int call_kernel(const struct luks2_device *disk, int op, const struct gpt *gpt,
		       const struct gpt_partition *partition)
{
	struct blkpg_partition data = { .pno = (int)partition->number };
	struct blkpg_ioctl_arg call = { .op = op, .datalen = sizeof(data), .data = &data };

	if (!disk->block)
		return 0;
	if (gpt) {
		data.start = (long long)(partition->first * gpt->sector);
		data.length = (long long)((partition->last - partition->first + 1) * gpt->sector);
	}
	return ioctl(disk->fd, BLKPG, &call) ? errno : 0;
}

static enum mortise_code kernel_error(struct mortise_error *err, int sys, const char *what,
				      const struct luks2_device *disk, unsigned number)
{
	return error_set(err, sys == EBUSY ? MORTISE_E_BUSY : MORTISE_E_KERNEL, sys,
			 "the kernel does not %s partition %u of %s", what, number, disk->path);
}

enum mortise_code disk_kernel_add(const struct luks2_device *disk, const struct gpt *gpt,
				  const struct gpt_partition *partition, struct mortise_error *err)
{
	int sys = call_kernel(disk, BLKPG_ADD_PARTITION, gpt, partition);

	return sys ? kernel_error(err, sys, "add", disk, partition->number) : MORTISE_OK;
}

enum mortise_code disk_kernel_resize(const struct luks2_device *disk, const struct gpt *gpt,
				     const struct gpt_partition *partition,
				     struct mortise_error *err)
{
	int sys = call_kernel(disk, BLKPG_RESIZE_PARTITION, gpt, partition);

	return sys ? kernel_error(err, sys, "resize", disk, partition->number) : MORTISE_OK;
}

enum mortise_code disk_kernel_remove(const struct luks2_device *disk, unsigned number,
				     struct mortise_error *err)
{
	const struct gpt_partition partition = { .number = number };
	int sys = call_kernel(disk, BLKPG_DEL_PARTITION, NULL, &partition);

	/* ENXIO: the kernel does not know it. */
	return sys && sys != ENXIO ? kernel_error(err, sys, "remove", disk, number) : MORTISE_OK;
}
