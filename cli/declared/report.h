/* SPDX-License-Identifier: MIT */
/* The end of every verb that reports the state of declared volumes. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/declared/volumes.h"

/*
 * Prints the error and the report, as a table, as JSON or as metrics, and returns the exit status.
 * report may be NULL; err->code is MORTISE_OK after success. Every volume should have reached the
 * phase wanted. The JSON of apply also contains the plan.
 */
enum status report_print(const struct command *c, struct volumes *volumes,
			 const struct mortise_report *report, enum mortise_phase wanted,
			 const struct mortise_error *err);

#endif
