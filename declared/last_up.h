/* SPDX-License-Identifier: MIT */
/* The outcome of the last run of mortise_up or mortise_apply in this boot, for mortise_status. */
#ifndef DECLARED_LAST_UP_H
#define DECLARED_LAST_UP_H

#include "declared/report.h"

struct volume_last_up {
	int64_t time;			/* seconds since 1970; 0: not processed in this boot */
	char error[MORTISE_ERROR_TEXT];	/* "": the volume was ready */
};

/*
 * Keeps the outcome of each volume of the report in /run/mortise/last-up, next to those of other
 * volumes. Failures are ignored: only status prints it. The caller holds the lock of the run. report
 * may be NULL.
 */
void volume_last_up_store(const struct mortise_report *report);
void volume_last_up_read(const struct config_volume *volume, struct volume_last_up *last);

#endif
