/* SPDX-License-Identifier: MIT */
/* The state of declared volumes as metrics, in Prometheus's text exposition format. */
#ifndef CLI_PROMETHEUS_H
#define CLI_PROMETHEUS_H

#include "cli/declared/volumes.h"

/* Prints the metrics to standard output. report: NULL if the state could not be read. */
enum status prometheus_print(const struct mortise_report *report);

#endif
