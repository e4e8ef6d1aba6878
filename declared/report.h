/* SPDX-License-Identifier: MIT */
/* The list of volumes and how they stand that up, down and status hand out. */
#ifndef VOLUME_REPORT_H
#define VOLUME_REPORT_H

#include "declared/plan.h"

struct volume_entry {
	const struct config_volume *volume;
	enum mortise_phase phase;
	char device[VOLUME_PATH_MAX];
	char mapping[MORTISE_NAME_MAX + 16];
	char mount_point[VOLUME_PATH_MAX];
	char key_kinds[64];
	struct volume_opening opening;
	char error[MORTISE_ERROR_TEXT];
	char text[128];
	struct mortise_volume_status shown; /* filled when a caller asks for it */
};

struct mortise_report {
	struct volume_entry *entries;
	size_t count;
};

/* An empty report with room for every volume of the configuration. */
MORTISE_MUST_CHECK enum mortise_code volume_report_new(const struct config *config,
						       struct mortise_report **out,
						       struct mortise_error *err);

/* The next entry, filled with what the configuration says. */
struct volume_entry *volume_report_add(struct mortise_report *report,
				       const struct config_volume *volume);

#endif
