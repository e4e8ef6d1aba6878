/* SPDX-License-Identifier: MIT */
/* Signatures on a device: those of libblkid, and those in the first page of a swap area. */
#ifndef DISK_SIGNATURES_H
#define DISK_SIGNATURES_H

#include "disk/probe.h"

enum disk_scan {
	DISK_SCAN_ALL,		/* all types and partition tables */
	DISK_SCAN_EXCEPT,	/* the same except one type */
	DISK_SCAN_ONLY,		/* one type */
};

/*
 * Sets content and type of probe, if *found. type is libblkid's name. libblkid stops at the first
 * RAID member or encrypted volume, even if file systems follow.
 */
MORTISE_MUST_CHECK enum mortise_code disk_scan(const struct luks2_device *device,
					       enum disk_scan scan, const char *type,
					       struct disk_probe *probe, bool *found,
					       struct mortise_error *err);

/*
 * Looks into the first page, for pages of 4 to 64 KiB. Bytes elsewhere do not matter: they are
 * swapped-out pages.
 */
MORTISE_MUST_CHECK enum mortise_code disk_scan_swap(const struct luks2_device *device,
						    enum disk_swap_content *swap,
						    struct mortise_error *err);

#endif
