/* SPDX-License-Identifier: MIT */
/* Locating a declared volume: by --device, by its disk selector, or by its partition label. */
#ifndef VOLUME_LOCATE_H
#define VOLUME_LOCATE_H

#include <sys/types.h>

#include "config/config.h"

#define META_LABEL "META"

/* Is name a partition label: that of a system volume, or one that starts with u-, r- or s-? */
bool volume_is_label(const char *name);

/*
 * Does name mean this volume, as its id or its name? A name that is also a label means the volume
 * with this label: STATE never means a user volume STATE, whose label is u-STATE.
 */
bool volume_is_called(const struct config_volume *volume, const char *name);

/* The path that --device gives for volume, or NULL. Its id takes precedence over its name. */
const char *volume_given_device(const struct config_volume *volume,
				const struct mortise_up_options *options);

/* The first device that is given under exactly this name, which may be META_LABEL; or NULL. */
const char *volume_device_named(const struct mortise_volume_device *devices, size_t count,
				const char *name);

/* Does the configuration say where its partition is to be created? */
bool volume_has_place(const struct config_volume *volume);

/*
 * Finds the path of the volume's block device. If several partitions have its label, the one on
 * which the volume is open is taken, or else the one on the system disk. MORTISE_E_DEVICE: no
 * partition has its label, no disk matches its selector, or more than one does.
 */
MORTISE_MUST_CHECK enum mortise_code volume_locate(const struct config_volume *volume,
						   const struct mortise_up_options *options,
						   char *path, size_t room,
						   struct mortise_error *err);

/*
 * Do several partitions have the volume's label? Then another one than the volume's own may have
 * been taken: it must not be formatted, and why names them.
 */
bool volume_label_is_shared(const struct config_volume *volume,
			    const struct mortise_up_options *options, struct mortise_error *why);

/*
 * mortise_mapping_info(), also of a volume whose data is all still plain, because its encryption in place
 * has only begun. Its cipher is "" then.
 */
MORTISE_MUST_CHECK enum mortise_code volume_mapping_info(const char *name,
							 struct mortise_mapping_info *info,
							 struct mortise_error *err);

#endif
