/* SPDX-License-Identifier: MIT */
/* Where a declared volume is: by its partition's label, its disk's selector, or as one says. */
#ifndef VOLUME_LOCATE_H
#define VOLUME_LOCATE_H

#include <sys/types.h>

#include "config/config.h"

/* A label of a partition by itself: a system volume's, or one with u-, r- or s- in front. */
bool volume_is_label(const char *name);

/*
 * By its id, or by its name. A name that is a label means what has the label: STATE is never the
 * user volume STATE, which is called u-STATE.
 */
bool volume_is_called(const struct config_volume *volume, const char *name);

/* What --device says of volume, under its id rather than its name; NULL: nothing. */
const char *volume_given_device(const struct config_volume *volume,
				const struct mortise_up_options *options);

/*
 * The path of the block device of volume. MORTISE_E_DEVICE when no partition has its label,
 * no disk fits its selector, or more than one does (which one is meant cannot be guessed).
 */
MORTISE_MUST_CHECK enum mortise_code volume_locate(const struct config_volume *volume,
						   const struct mortise_up_options *options,
						   char *path, size_t room,
						   struct mortise_error *err);

#endif
