/* SPDX-License-Identifier: MIT */
/* When the file system of a volume was trimmed for the last time. */
#ifndef DECLARED_TRIM_H
#define DECLARED_TRIM_H

#include "declared/declared.h"

struct volume_trim {
	int64_t time;	/* seconds since 1970; 0: never */
	uint64_t bytes;	/* discarded then */
};

/* The times of all volumes: from STATE if it is mounted, else those of this boot. Free with
 * json_object_put(). NULL if there are none, or if they cannot be read. */
struct json_object *volume_trim_times(const struct mortise_up_options *options);
/* all may be NULL. */
void volume_trim_find(struct json_object *all, const char *id, struct volume_trim *last);

#endif
