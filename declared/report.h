/* SPDX-License-Identifier: MIT */
/* The report of up, down and status: the state of each volume. */
#ifndef VOLUME_REPORT_H
#define VOLUME_REPORT_H

#include "declared/fsck.h"
#include "declared/plan.h"
#include "disk/place.h"

/* Facts about a volume that only mortise_status reports. */
struct volume_facts {
	struct disk_place place;
	char partition_uuid[DISK_UUID_ROOM];
	uint32_t pcrs;			/* bit n: a key is bound to PCR n */
	bool signed_pcr_11;		/* a key is bound to the signed policy of PCR 11 */
	bool discards;
	struct mortise_filesystem_use use;
	int64_t last_up;
	char last_error[MORTISE_ERROR_TEXT];
	int64_t last_trim;
	uint64_t last_trim_bytes;
	uint64_t reencrypted, reencrypt_total;
	bool running;			/* a process continues the reencryption */
};

struct volume_entry {
	const struct config_volume *volume;
	enum mortise_phase phase;
	char device[VOLUME_PATH_MAX];
	char mapping[MORTISE_NAME_MAX + 16];
	char mount_point[VOLUME_PATH_MAX];
	char key_kinds[64];
	struct volume_opening opening;
	char uuid[DISK_UUID_ROOM];
	const char *known;		/* NULL: "" */
	const char *seal;		/* NULL: "" */
	struct volume_facts facts;
	bool reset_staged;
	char reencryption[96];
	char fsck[VOLUME_FSCK_ROOM];
	char error[MORTISE_ERROR_TEXT];
	char text[128];
	struct mortise_volume_status shown; /* set when the caller requests it */
};

struct mortise_report {
	struct volume_entry *entries;
	size_t count;
};

/* Creates an empty report with room for every volume of the configuration. */
MORTISE_MUST_CHECK enum mortise_code volume_report_new(const struct config *config,
						       struct mortise_report **out,
						       struct mortise_error *err);

/* Adds an entry and fills in the facts from the configuration. */
struct volume_entry *volume_report_add(struct mortise_report *report,
				       const struct config_volume *volume);

/* Moves the result of a run to the entry of its volume. */
void volume_report_set(struct volume_entry *entry, const struct volume_plan *plan,
		       const struct volume_result *result);

#endif
