/* SPDX-License-Identifier: MIT */
/* Sizes ("2.5GiB", "-10GB", "80%") and durations ("36h") in Talos's syntax. */
#ifndef CONFIG_SIZE_H
#define CONFIG_SIZE_H

#include "config/fields.h"

/* Parses a size; "80%" only if percent is true. Errors go to the log. */
void config_field_size(struct config_log *log, const struct config_field *field, bool percent,
		       struct config_size *size);

/* Parses the bytes in text, which is the end of the field's value; no sign is allowed. */
void config_size_parse(struct config_log *log, const struct config_field *field, const char *text,
		       struct config_size *size);

/* Parses a Go duration, in seconds. False if there is no valid one. */
bool config_field_duration(struct config_log *log, const struct config_field *field,
			   double *seconds);

#endif
