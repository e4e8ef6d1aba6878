/* SPDX-License-Identifier: MIT */
/* Signatures without libblkid: the most common types, by their magic numbers. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/luks/signatures.h"

/* In the order of their offsets in bytes. A GPT lies in the second sector, of 512 or 4096 bytes. */
static const struct {
	char type[12], magic[9];
	uint32_t at;
} known[] = {
	{ "crypto_LUKS", "LUKS\xba\xbe", 0 },
	{ "xfs", "XFSB", 0 },
	{ "squashfs", "hsqs", 0 },
	{ "raid", "\xfc\x4e\x2b\xa9", 0 },
	{ "ntfs", "NTFS    ", 3 },
	{ "BitLocker", "-FVE-FS-", 3 },
	{ "vfat", "FAT1", 54 },
	{ "vfat", "FAT32   ", 82 },
	{ "gpt", "EFI PART", 512 },
	{ "LVM2_member", "LABELONE", 512 },
	{ "f2fs", "\x10\x20\xf5\xf2", 1024 },
	{ "erofs", "\xe2\xe1\xf5\xe0", 1024 },
	{ "gpt", "EFI PART", 4096 },
	{ "raid", "\xfc\x4e\x2b\xa9", 4096 },
	{ "bcache", "\xc6\x85\x73\xf6", 4120 },
	{ "swap", "SWAPSPAC", 4086 },
	{ "swap", "SWAPSPAC", 65526 },
	{ "btrfs", "_BHRfS_M", 65600 },
};

static bool has(int fd, uint64_t at, const char *magic, size_t size)
{
	char bytes[16];

	return pread(fd, bytes, size, (off_t)at) == (ssize_t)size && !memcmp(bytes, magic, size);
}

/* Two magic bytes are too few by themselves: block size and state of an ext superblock are small. */
static bool is_ext(int fd, uint64_t offset)
{
	unsigned char bytes[5];

	return has(fd, offset + 1080, "\x53\xef", 2) &&
	       pread(fd, bytes, sizeof(bytes), (off_t)(offset + 1048)) == sizeof(bytes) &&
	       bytes[0] <= 6 && !bytes[1] && !bytes[2] && !bytes[3];
}

/* A partition has status 0 or 0x80. */
static bool is_mbr(int fd, uint64_t offset)
{
	unsigned char status;

	if (!has(fd, offset + 510, "\x55\xaa", 2))
		return false;
	for (uint64_t at = 446; at < 510; at += 16)
		if (pread(fd, &status, 1, (off_t)(offset + at)) != 1 || (status & 0x7f))
			return false;
	return true;
}

static void take(const char *device, const char *type, enum signatures_shown shown,
		 struct signatures *found)
{
	found->count++;
	snprintf(found->type, sizeof(found->type), "%s", type);
	if (shown == SIGNATURES_ALL ||
	    (shown == SIGNATURES_FOREIGN && strcmp(type, "crypto_LUKS") != 0))
		print("WARNING: Device %s already contains a '%s' signature.\n", device, type);
}

char *signatures_device(const char *tag, const char *value)
{
	(void)tag;
	(void)value;
	return NULL;
}

enum status signatures_find(const char *device, uint64_t offset, enum signatures_shown shown,
			    struct signatures *found)
{
	const int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct signatures ignored;

	if (!found)
		found = &ignored;
	*found = (struct signatures){ 0 };
	if (fd < 0)
		return fail_with(STATUS_USAGE, "Failed to initialize device signature probes.");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (has(fd, offset + known[i].at, known[i].magic, strlen(known[i].magic)))
			take(device, known[i].type, shown, found);
	if (is_ext(fd, offset))
		take(device, "ext", shown, found);
	if (is_mbr(fd, offset))
		take(device, "dos", shown, found);
	close(fd);
	return STATUS_OK;
}

enum status signatures_check_sector(const char *device, uint32_t sector_size)
{
	(void)device;
	(void)sector_size;
	return STATUS_OK;
}
