/* SPDX-License-Identifier: MIT */
/* Sizes ("2.5GiB", "-10GB", "80%") and durations ("36h") as Talos writes them. */
#ifndef META_SIZE_H
#define META_SIZE_H

#include "meta/fields.h"

struct meta_size {
	bool given;
	bool negative;		/* maxSize: leave so much free */
	bool percent;
	uint64_t value;		/* bytes, or whole percents */
};

/* Reads a field; percent says whether "80%" is allowed. What is wrong goes to the log. */
void meta_field_size(struct meta_log *log, const struct meta_field *field, bool percent,
		     struct meta_size *size);

/* A Go duration, in seconds. True when there is a good one. */
bool meta_field_duration(struct meta_log *log, const struct meta_field *field, double *seconds);

#endif
