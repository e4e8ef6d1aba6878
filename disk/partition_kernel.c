/* SPDX-License-Identifier: MIT */
#include "disk/partition_kernel.h"

#include <errno.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/error.h"

enum mortise_code disk_kernel_read(const struct luks2_device *disk, struct mortise_error *err)
{
	if (!disk->block || !ioctl(disk->fd, BLKRRPART))
		return MORTISE_OK;
	return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_KERNEL, errno,
			 "the kernel does not read the partition table of %s", disk->path);
}

enum mortise_code disk_kernel_resize(const struct luks2_device *disk, const struct gpt *gpt,
				     const struct gpt_partition *partition,
				     struct mortise_error *err)
{
	struct blkpg_partition data = {
		.start = (long long)(partition->first * gpt->sector),
		.length = (long long)((partition->last - partition->first + 1) * gpt->sector),
		.pno = (int)partition->number,
	};
	struct blkpg_ioctl_arg call = { .op = BLKPG_RESIZE_PARTITION,
					.datalen = sizeof(data),
					.data = &data };

	if (!disk->block || !ioctl(disk->fd, BLKPG, &call))
		return MORTISE_OK;
	return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_KERNEL, errno,
			 "the kernel does not resize partition %u of %s", partition->number,
			 disk->path);
}
