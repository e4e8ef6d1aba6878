/* SPDX-License-Identifier: MIT */
/* Shrinking a file system that is not mounted. */
#ifndef DISK_SHRINK_H
#define DISK_SHRINK_H

#include <mortise.h>

/*
 * Can the file system on device be shrunk to size bytes? Reads only. MORTISE_E_UNSUPPORTED: not this
 * type, or a program is not installed. MORTISE_E_NO_SPACE: it holds too much data.
 */
MORTISE_MUST_CHECK enum mortise_code disk_shrink_check(const struct mortise_events *events,
						       const char *type, const char *device,
						       uint64_t size, struct mortise_error *err);

/*
 * Checks the file system, corrects what needs no decision, and shrinks it. interrupted: an earlier
 * call may have been cut, whose traces are corrected, too. It is not canceled.
 */
MORTISE_MUST_CHECK enum mortise_code disk_shrink(const char *type, const char *device,
						 uint64_t size, bool interrupted,
						 struct mortise_error *err);

#endif
