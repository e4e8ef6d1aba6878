/* SPDX-License-Identifier: MIT */
/* Authenticated encryption: the dm-integrity mapping below dm-crypt, which stores the tags. */
#ifndef VOLUME_INTEGRITY_H
#define VOLUME_INTEGRITY_H

#include "dm/dm.h"
#include "luks2/device.h"
#include "luks2/header.h"
#include "luks2/model.h"

/* What dm-crypt needs above an open dm-integrity mapping. */
struct volume_integrity {
	char name[DM_UUID_MAX + 8];
	char path[256];
	char cipher[MORTISE_CIPHER_MAX + 1]; /* "capi:authenc(hmac(sha256),xts(aes))-plain64" */
	char tags[24];		/* "32:aead" */
	uint64_t size;		/* bytes of data */
};

/* Fills cipher and tags. MORTISE_E_UNSUPPORTED. */
MORTISE_MUST_CHECK enum mortise_code volume_integrity_form(const struct luks2_segment *segment,
							   struct volume_integrity *integrity,
							   struct mortise_error *err);

/*
 * Opens NAME_dif over the segment on a block device. flags: MORTISE_READONLY, MORTISE_NO_JOURNAL. A
 * NAME_dif that an interrupted open left behind is replaced. MORTISE_E_POLICY: no superblock, or one
 * that does not match the header.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_integrity_open(struct dm_control *control, const struct mortise_luks2 *header,
		      const char *name, const struct luks2_segment *segment, const char *device,
		      uint32_t flags, struct volume_integrity *integrity,
		      struct mortise_error *err);

/*
 * Checks before a format that the kernel has dm-integrity and the cipher. device is where the data
 * will be; it is not written. With integrity_inline: that the device stores the tags.
 */
MORTISE_MUST_CHECK enum mortise_code volume_integrity_check(const struct luks2_device *device,
							    const struct mortise_format *format,
							    struct mortise_error *err);

/* Writes the superblock of the segment, if it has integrity. */
MORTISE_MUST_CHECK enum mortise_code volume_integrity_format(const struct mortise_luks2 *header,
							     bool legacy_padding,
							     struct mortise_error *err);

/*
 * The bytes of data on a new volume: the kernel's layout of superblock, journal and tags behind
 * offset. 0: the device is too small.
 */
uint64_t volume_integrity_size(uint64_t device_size, uint64_t offset, uint32_t tag_size,
			       uint32_t sector_size);

/* mortise_integrity_wipe(); volume: the name in the events, or NULL. */
MORTISE_MUST_CHECK enum mortise_code volume_integrity_wipe(struct mortise_luks2 *header,
							   const struct mortise_secret *volume_key,
							   const char *volume,
							   struct mortise_error *err);

/*
 * Finds the dm-integrity mapping below a dm-crypt mapping. False: the mapping has no tags, or the
 * device below is not a mapping of cryptsetup or mortise.
 */
bool volume_integrity_below(struct dm_control *control, const struct dm_crypt_table *table,
			    struct dm_info *below);

#endif
