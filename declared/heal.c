/* SPDX-License-Identifier: MIT */
#include "declared/heal.h"

#include <stdio.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/events.h"
#include "disk/choice.h"
#include "disk/disks.h"
#include "disk/partition_kernel.h"
#include "disk/users.h"

#define LOCK_WAIT_MS 10000u

/* *healed: the table was torn, and is whole now. A disk without a table is not an error. */
static enum mortise_code heal_disk(const struct mortise_events *events, const char *path,
				   bool *healed, struct mortise_error *err)
{
	struct luks2_device *disk = NULL;
	struct mortise_error ignored;
	char partitions[160];
	struct gpt *gpt = NULL;
	enum mortise_code code;

	*healed = false;
	if (luks2_device_open(path, false, &disk, &ignored))
		return MORTISE_OK;
	code = MORTISE_OK;
	if (disk_partitions(disk, partitions, sizeof(partitions)) || disk_in_use(disk) ||
	    gpt_read(disk, &gpt, &ignored) || !disk_is_cut_off(disk, gpt))
		goto out;
	gpt_free(&gpt);
	code = luks2_device_writable(disk, err);
	if (!code)
		code = events_lock(events, disk->fd, LOCK_EX, LOCK_WAIT_MS, path, err);
	if (!code)
		code = gpt_read(disk, &gpt, err);
	if (!code && disk_is_cut_off(disk, gpt))
		code = gpt_write(gpt, disk, err);
	if (!code)
		code = disk_kernel_read(disk, err);
	*healed = !code;
out:
	gpt_free(&gpt);
	luks2_device_close(disk);
	return code;
}

void volume_heal_tables(const struct mortise_events *events)
{
	char text[MORTISE_ERROR_TEXT + 64];
	struct mortise_error why;
	struct disk_list disks;

	if (disk_list_read("", &disks, &why))
		goto out;
	for (size_t i = 0; i < disks.count && !events_canceled(events); i++) {
		const char *path = disks.disk[i]->dev_path;
		bool healed;

		if (heal_disk(events, path, &healed, &why)) {
			snprintf(text, sizeof(text),
				 "cannot restore the partition table from its second copy: %s",
				 why.text);
			events_notify(events, path, text);
		} else if (healed) {
			events_notify(events, path,
				      "a write of the partition table was cut off; restored it "
				      "from its second copy");
		}
	}
out:
	disk_list_clear(&disks);
}
