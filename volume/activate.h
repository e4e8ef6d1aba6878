/* SPDX-License-Identifier: MIT */
/* The device below a mapping, and questions about a mapping. */
#ifndef VOLUME_ACTIVATE_H
#define VOLUME_ACTIVATE_H

#include <mortise.h>

#include "dm/dm.h"
#include "luks2/policy.h"

/* "CRYPT-LUKS2-UUID-NAME", with the header's UUID without dashes, cut to the kernel's limit. */
void volume_mapping_uuid(const struct mortise_luks2 *header, const char *name,
			 char uuid[static DM_UUID_MAX + 1]);

/* "CRYPT-INTEGRITY-UUID-NAME", the UUID of a dm-integrity mapping below one of the header's. */
void volume_subdevice_uuid(const struct mortise_luks2 *header, const char *name,
			   char uuid[static DM_UUID_MAX + 1]);

/* The mapping NAME-hotzone-forward below NAME during an online reencryption, as cryptsetup names it. */
#define VOLUME_HELPER "-hotzone-forward"
/* The mapping NAME-overlay, which cryptsetup makes between NAME and the data. */
#define VOLUME_OVERLAY "-overlay"
/* "CRYPT-SUBDEV-UUID-HELPER" */
void volume_helper_uuid(const struct mortise_luks2 *header, const char *helper,
			char uuid[static DM_UUID_MAX + 1]);

/* The device below a mapping: the data device, or a loop device if the data is in a file. */
struct volume_backing {
	char path[4096];
	uint64_t size;		/* bytes */
	int loop_fd;
};

/* MORTISE_E_DEVICE. Close it after the mapping was created: the kernel keeps a loop device attached. */
MORTISE_MUST_CHECK enum mortise_code volume_backing_open(const char *path, bool readonly,
							 struct volume_backing *backing,
							 struct mortise_error *err);
void volume_backing_close(struct volume_backing *backing);

/* Gets the data segment, and checks that header, cipher and volume key match. */
MORTISE_MUST_CHECK enum mortise_code volume_check_key(struct mortise_luks2 *header,
						      const struct mortise_secret *volume_key,
						      struct luks2_segment *segment,
						      struct mortise_error *err);

/* mortise_activate(); hidden: a temporary mapping, which other programs do not scan. */
MORTISE_MUST_CHECK enum mortise_code volume_activate(struct mortise_luks2 *header, const char *name,
						     const struct mortise_secret *volume_key,
						     uint32_t flags, bool hidden, uint32_t *dropped,
						     struct mortise_error *err);

/* The same for a header in reencryption. */
MORTISE_MUST_CHECK enum mortise_code
volume_reencrypt_activate(struct mortise_luks2 *header, const char *name,
			  const struct mortise_secret *volume_key, uint32_t flags, bool hidden,
			  uint32_t *dropped, struct mortise_error *err);

/*
 * Does a mapping of this name exist that belongs to this header and has no table? A process killed
 * between creating the mapping and loading its table leaves one, which cannot be used.
 */
bool volume_mapping_is_tableless(const struct mortise_luks2 *header, const char *name);

#endif
