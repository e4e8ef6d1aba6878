/* SPDX-License-Identifier: MIT */
/* What the declared job asks about a mapping beyond the public header. */
#ifndef VOLUME_ACTIVATE_H
#define VOLUME_ACTIVATE_H

#include <mortise.h>

/*
 * Is the name taken by a mapping of this very header that has no table? A run that was killed
 * between making it and loading the table leaves one, which nobody can use.
 */
bool volume_mapping_is_tableless(const struct mortise_luks2 *header, const char *name);

#endif
