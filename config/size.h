/* SPDX-License-Identifier: MIT */
/* Sizes ("2.5GiB", "-10GB", "80%") and durations ("36h") as Talos writes them. */
#ifndef CONFIG_SIZE_H
#define CONFIG_SIZE_H

#include "config/fields.h"

struct config_size {
	bool given;
	bool negative;		/* maxSize: leave so much free */
	bool percent;
	uint64_t value;		/* bytes, or whole percents */
};

/* Reads a field; percent says whether "80%" is allowed. What is wrong goes to the log. */
void config_field_size(struct config_log *log, const struct config_field *field, bool percent,
		       struct config_size *size);

/* A Go duration, in seconds. True when there is a good one. */
bool config_field_duration(struct config_log *log, const struct config_field *field, double *seconds);

#endif
