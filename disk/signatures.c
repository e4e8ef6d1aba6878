/* SPDX-License-Identifier: MIT */
#include "disk/signatures.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define SWAP_PAGE_MIN  4096u
#define SWAP_PAGE_MAX  65536u
#define SWAP_VERSION   1024u /* offset of the version in the header, which is 1 */
#define SWAP_SIGNATURE 10u /* bytes at the end of the page (mm/swapfile.c, include/linux/swap.h) */

static const char *get_value(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) ? "" : value;
}

static void describe(blkid_probe blkid, struct disk_probe *probe)
{
	const char *type = get_value(blkid, "TYPE");

	probe->content =
		!strcmp(get_value(blkid, "USAGE"), "filesystem") ? DISK_FILESYSTEM : DISK_OTHER;
	if (!strcmp(type, "crypto_LUKS"))
		snprintf(probe->type, sizeof(probe->type), "LUKS%.20s",
			 get_value(blkid, "VERSION"));
	else if (*type)
		snprintf(probe->type, sizeof(probe->type), "%.100s", type);
	else
		snprintf(probe->type, sizeof(probe->type), "a partition table (%.60s)",
			 get_value(blkid, "PTTYPE"));
}

/* The filter of libblkid writes to none of the names, but its parameter is not const. */
static bool set_up(blkid_probe blkid, const struct luks2_device *device, enum disk_scan scan,
		   char *type)
{
	char *names[] = { type, NULL };
	const int filter = scan == DISK_SCAN_ONLY ? BLKID_FLTR_ONLYIN : BLKID_FLTR_NOTIN;

	return blkid && !blkid_probe_set_device(blkid, device->fd, 0, 0) &&
	       !blkid_probe_enable_superblocks(blkid, 1) &&
	       !blkid_probe_set_superblocks_flags(blkid, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_VERSION |
								 BLKID_SUBLKS_USAGE) &&
	       (scan == DISK_SCAN_ALL ||
		!blkid_probe_filter_superblocks_type(blkid, filter, names)) &&
	       !blkid_probe_enable_partitions(blkid, scan != DISK_SCAN_ONLY);
}

enum mortise_code disk_scan(const struct luks2_device *device, enum disk_scan scan,
			    const char *type, struct disk_probe *probe, bool *found,
			    struct mortise_error *err)
{
	blkid_probe blkid = blkid_new_probe();
	enum mortise_code code = MORTISE_OK;
	char name[64];
	int answer;

	*found = false;
	snprintf(name, sizeof(name), "%s", type ? type : "");
	if (!set_up(blkid, device, scan, name)) {
		code = error_set(err, MORTISE_E_SYSTEM, 0, "cannot probe %s: libblkid failed",
				 device->path);
		goto out;
	}
	answer = blkid_do_safeprobe(blkid);
	*found = answer == -2 || answer == 0;
	if (answer == -2) {
		probe->content = DISK_OTHER;
		snprintf(probe->type, sizeof(probe->type), "several signatures");
	} else if (answer < 0) {
		code = error_set(err, MORTISE_E_SYSTEM, 0, "cannot read %s: libblkid failed",
				 device->path);
	} else if (answer == 0) {
		describe(blkid, probe);
	}
out:
	blkid_free_probe(blkid);
	return code;
}

/* is_header: the first page may have the header of a swap area. */
static enum disk_swap_content compare_page_end(const uint8_t *end, bool is_header)
{
	/* Those of libblkid: the kernel, user-space tools (uswsusp) and Chrome OS. */
	static const char *const suspended[] = { "S1SUSPEND", "S2SUSPEND", "ULSUSPEND",
						 "LINHIB0001" };
	static const char area[] = "SWAPSPACE2";

	for (size_t i = 0; i < sizeof(suspended) / sizeof(*suspended); i++)
		if (!memcmp(end, suspended[i], strlen(suspended[i])))
			return DISK_SWAP_SUSPENDED;
	return is_header && !memcmp(end, area, SWAP_SIGNATURE) ? DISK_SWAP_AREA : DISK_SWAP_NONE;
}

enum mortise_code disk_scan_swap(const struct luks2_device *device, enum disk_swap_content *swap,
				 struct mortise_error *err)
{
	/* TuxOnIce replaces the start of the first page. */
	static const uint8_t tuxonice[] = { 0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c };
	static const uint8_t versions[][4] = { { 1, 0, 0, 0 }, { 0, 0, 0, 1 } };
	uint8_t bytes[SWAP_SIGNATURE], version[4] = { 0 };
	enum mortise_code code = MORTISE_OK;
	bool is_header;

	*swap = DISK_SWAP_NONE;
	if (device->size < SWAP_PAGE_MIN)
		return MORTISE_OK;
	code = luks2_device_read(device, bytes, sizeof(bytes), 0, err);
	if (!code && !memcmp(bytes, tuxonice, sizeof(tuxonice)))
		*swap = DISK_SWAP_SUSPENDED;
	if (!code)
		code = luks2_device_read(device, version, sizeof(version), SWAP_VERSION, err);
	/* The first bytes of a file system differ, whose files may have the signature. */
	is_header = !memcmp(version, versions[0], 4) || !memcmp(version, versions[1], 4);
	for (uint64_t page = SWAP_PAGE_MIN; !code && page <= SWAP_PAGE_MAX && page <= device->size;
	     page *= 2) {
		enum disk_swap_content content;

		code = luks2_device_read(device, bytes, sizeof(bytes), page - sizeof(bytes), err);
		content = code ? DISK_SWAP_NONE : compare_page_end(bytes, is_header);
		/* An image counts more: its user loses data. */
		if (content > *swap)
			*swap = content;
	}
	return code;
}

/* Results of the child process of disk_probe_signatures(). */
struct answer {
	enum mortise_code code;
	struct disk_probe probe;
	struct mortise_error err;
};

static void answer_parent(const struct luks2_device *device, int fd)
{
	struct answer answer = { .code = MORTISE_OK };
	bool found;

	answer.code = disk_scan(device, DISK_SCAN_ALL, NULL, &answer.probe, &found, &answer.err);
	_exit(write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

enum mortise_code disk_probe_signatures(const struct luks2_device *device, struct disk_probe *probe,
					struct mortise_error *err)
{
	struct answer answer = { .code = MORTISE_OK };
	int ends[2] = { -1, -1 }, sys;
	ssize_t got = 0;
	pid_t child = -1;

	memset(probe, 0, sizeof(*probe));
	if (!pipe2(ends, O_CLOEXEC))
		child = fork();
	sys = errno;
	if (!child)
		answer_parent(device, ends[1]);
	close(ends[1]);
	if (child > 0) {
		got = file_read_fd(ends[0], &answer, sizeof(answer));
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (got != (ssize_t)sizeof(answer))
		return error_set(err, MORTISE_E_SYSTEM, child < 0 ? sys : 0,
				 "cannot probe %s in another process", device->path);
	*probe = answer.probe;
	if (answer.code && err)
		*err = answer.err;
	return answer.code;
}
