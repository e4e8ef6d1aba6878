/* SPDX-License-Identifier: MIT */
/*
 * Writing a GUID partition table. The second copy is written first. Until its header is written,
 * the first copy has the old contents; from then on, the second has the new ones.
 */
#include <stdlib.h>

#include "base/error.h"
#include "disk/gpt_bytes.h"
#include "disk/signatures.h"

/* The header of the copy at sector self. bytes: one sector, cleared. */
static void encode_header(const struct gpt *gpt, uint64_t self, uint64_t other, uint64_t entries_at,
			  uint8_t *bytes)
{
	memcpy(bytes + H_SIGNATURE, GPT_SIGNATURE, strlen(GPT_SIGNATURE));
	gpt_put32(bytes + H_REVISION, GPT_REVISION);
	gpt_put32(bytes + H_SIZE, GPT_HEADER_SIZE);
	gpt_put64(bytes + H_SELF, self);
	gpt_put64(bytes + H_OTHER, other);
	gpt_put64(bytes + H_FIRST_USABLE, gpt->first_usable);
	gpt_put64(bytes + H_LAST_USABLE, gpt->last_usable);
	memcpy(bytes + H_GUID, gpt->guid, GPT_GUID_SIZE);
	gpt_put64(bytes + H_ENTRIES_AT, entries_at);
	gpt_put32(bytes + H_ENTRY_COUNT, gpt->entry_count);
	gpt_put32(bytes + H_ENTRY_SIZE, gpt->entry_size);
	gpt_put32(bytes + H_ENTRIES_CRC,
		  gpt_crc32(gpt->entries, (size_t)gpt->entry_count * gpt->entry_size));
	gpt_put32(bytes + H_CRC, gpt_crc32(bytes, GPT_HEADER_SIZE));
}

static enum mortise_code write_flushed(const struct luks2_device *disk, const void *bytes,
				       size_t size, uint64_t offset, struct mortise_error *err)
{
	enum mortise_code code = luks2_device_write(disk, bytes, size, offset, err);

	return code ? code : luks2_device_flush(disk, err);
}

static enum mortise_code write_copy(const struct gpt *gpt, const struct luks2_device *disk,
				    uint64_t self, uint64_t other, uint64_t entries_at,
				    struct mortise_error *err)
{
	uint8_t header[4096] = { 0 };
	enum mortise_code code;

	encode_header(gpt, self, other, entries_at, header);
	code = write_flushed(disk, gpt->entries, gpt_array_size(gpt), entries_at * gpt->sector,
			     err);
	if (!code)
		code = write_flushed(disk, header, gpt->sector, self * gpt->sector, err);
	return code;
}

/* One entry over the whole disk; sizes beyond 32 bits are written as the greatest number. */
static void protect(const struct gpt *gpt, uint8_t mbr[static 512])
{
	const uint64_t length = gpt->sectors - 1;
	uint8_t *entry = mbr + MBR_TABLE;

	/* Boot code and the boot flag of the entry stay: some BIOSes start no disk without it. */
	memset(entry + MBR_ENTRY, 0, 3 * MBR_ENTRY);
	memcpy(entry + 1, "\x00\x02\x00\xee\xff\xff\xff", 7);
	gpt_put32(entry + MBR_START, 1);
	gpt_put32(entry + MBR_LENGTH, length > UINT32_MAX ? UINT32_MAX : (uint32_t)length);
	mbr[MBR_SIGNATURE] = 0x55;
	mbr[MBR_SIGNATURE + 1] = 0xaa;
}

/*
 * A member of a RAID array is larger than the table of the array, as a disk that grew, but has the
 * superblock of the array at its end.
 */
enum mortise_code gpt_check_end(const struct gpt *gpt, const struct luks2_device *disk,
				struct mortise_error *err)
{
	struct disk_probe probe = { .type = "" };
	enum mortise_code code;
	bool found;

	if (!gpt->grown)
		return MORTISE_OK;
	code = disk_scan(disk, DISK_SCAN_ALL, NULL, &probe, &found, err);
	if (code || !strstr(probe.type, "_raid_member"))
		return code;
	return error_set(err, MORTISE_E_NOT_EMPTY, 0,
			 "cannot write the partition table of %s: the disk is a %s; use its RAID "
			 "array instead, or remove the superblock with `wipefs`",
			 disk->path, probe.type);
}

enum mortise_code gpt_write(const struct gpt *gpt, const struct luks2_device *disk,
			    struct mortise_error *err)
{
	const uint64_t last = gpt->sectors - 1;
	enum mortise_code code = gpt_check_end(gpt, disk, err);
	uint8_t *mbr;

	if (code)
		return code;
	mbr = calloc(1, gpt->sector);
	if (!mbr)
		return error_memory(err);
	code = write_copy(gpt, disk, last, 1, last - gpt_array_sectors(gpt), err);
	if (!code)
		code = write_copy(gpt, disk, 1, last, gpt->entries_at, err);
	if (code)
		goto out;
	memcpy(mbr, gpt->mbr, sizeof(gpt->mbr));
	protect(gpt, mbr);
	if (memcmp(mbr, gpt->mbr, sizeof(gpt->mbr)) != 0)
		code = write_flushed(disk, mbr, gpt->sector, 0, err);
out:
	free(mbr);
	return code;
}
