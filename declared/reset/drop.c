/* SPDX-License-Identifier: MIT */
/* Deleting the partition of a volume that was erased. */
#include "base/error.h"
#include "declared/reset/reset.h"
#include "disk/partition_kernel.h"
#include "disk/table.h"

static enum mortise_code open_table(const struct mortise_reset *reset,
				    const struct reset_target *target, bool writable,
				    struct disk_table *table, struct mortise_error *err)
{
	bool found;
	enum mortise_code code =
		disk_table_open(target->device, writable, reset->events, table, &found, err);

	if (!code && !found)
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "%s is not a partition; reset it without --drop", target->device);
	return code;
}

enum mortise_code reset_check_drop(const struct mortise_reset *reset,
				   const struct reset_target *target, struct mortise_error *err)
{
	struct disk_table table;
	enum mortise_code code = open_table(reset, target, false, &table, err);

	disk_table_close(&table);
	return code;
}

enum mortise_code reset_drop(const struct mortise_reset *reset, const struct reset_target *target,
			     struct mortise_error *err)
{
	struct disk_table table;
	enum mortise_code code = open_table(reset, target, true, &table, err);

	/* The kernel first: it refuses a partition that a program has opened meanwhile. */
	if (!code)
		code = disk_kernel_remove(table.disk, table.partition.number, err);
	if (!code) {
		gpt_remove(table.gpt, table.partition.number);
		code = gpt_write(table.gpt, table.disk, err);
	}
	disk_table_close(&table);
	return code;
}
