/* SPDX-License-Identifier: MIT */
#include "disk/table.h"

#include <sys/file.h>

#include "base/error.h"
#include "base/events.h"
#include "disk/place.h"

#define LOCK_WAIT_MS 10000u

/* The table on the disk must say what the kernel knows, and what located the volume. */
static enum mortise_code find_partition(struct disk_table *table, const struct disk_place *place,
					const char *device, struct mortise_error *err)
{
	const struct gpt *gpt = table->gpt;
	struct gpt_partition *found = &table->partition;

	if (place->partition <= gpt->entry_count &&
	    gpt_partition(gpt, place->partition - 1, found) &&
	    found->first * gpt->sector == place->start && gpt_size(gpt, found) == place->size)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_CHANGED, 0,
			 "partition %u in the table of %s is not %s as the kernel knows it; reboot",
			 place->partition, table->disk->path, device);
}

enum mortise_code disk_table_open(const char *device, bool writable,
				  const struct mortise_events *events, struct disk_table *table,
				  bool *found, struct mortise_error *err)
{
	struct disk_place place;
	enum mortise_code code;

	*table = (struct disk_table){ .disk = NULL };
	disk_place_read(device, &place);
	*found = place.partition;
	if (!*found)
		return MORTISE_OK;
	code = luks2_device_open(place.disk, false, &table->disk, err);
	if (!code && writable)
		code = luks2_device_writable(table->disk, err);
	if (!code && writable)
		code = events_lock(events, table->disk->fd, LOCK_EX, LOCK_WAIT_MS, place.disk, err);
	if (!code)
		code = gpt_read(table->disk, &table->gpt, err);
	return code ? code : find_partition(table, &place, device, err);
}

void disk_table_close(struct disk_table *table)
{
	gpt_free(&table->gpt);
	luks2_device_close(table->disk);
	*table = (struct disk_table){ .disk = NULL };
}
